"""The client's own arithmetic, so that a test that trusts it trusts something tested."""

import pytest

from support.view import View, apply_patch, entries_sha256

SESSION = "ses_x"
NULLS = {"worker_task_response": None, "inference_response": None, "step_info": None}


def patch(offset, text, total, **more):
    return {"index": 0, "message_id": "1", "type": "text", "patch_offset": offset, "patch": text,
            "total_length": total, **more}


@pytest.mark.parametrize("before, change, after", [
    ("✅ Tool: Running", patch(8, "Finished", 16), "✅ Tool: Finished"),
    ("📤 desktop/Status: Pending", patch(19, "Complete", 27), "📤 desktop/Status: Complete"),
    ("✅ Hello", patch(7, " world", 13), "✅ Hello world"),
    ("same", patch(4, "", 4), "same"),
    ("Hello", patch(0, "World!!", 7), "World!!"),
    ("shorter now", patch(7, "", 7), "shorter"),
    ("", patch(0, "𝔘", 2), "𝔘"),
])
def test_patches_count_utf16_units(before, change, after):
    assert apply_patch(before, change) == after


@pytest.mark.parametrize("before, change", [
    ("ab", patch(4, "ef", 6)), ("ab", patch(2, "c", 9)), ("𝔘", patch(1, "x", 2)),
], ids=["hole", "wrong-total", "split-pair"])
def test_patches_that_do_not_fit_are_refused(before, change):
    with pytest.raises(ValueError):
        apply_patch(before, change)


def test_the_hash_is_that_of_the_contract():
    entry = {"type": "text", "message_id": "1", "content": "é"}
    import hashlib
    assert entries_sha256([entry]) == hashlib.sha256("4:text1:10:0:2:é".encode()).hexdigest()
    assert entries_sha256([]) == hashlib.sha256(b"").hexdigest()


def interaction(state="waiting", entries=(), **more):
    entries = list(entries)
    done = {"completed": "2026-01-01T00:00:00Z", "entries_sha256": entries_sha256(entries)} if state != "waiting" else {
        "completed": None}
    return {"id": "int_1", "ordinal": 1, "state": state, "prompt_message": "p", "response_entries": entries,
            "response_message": "\n\n".join(e["content"] for e in entries), **done, **more}


def full(seq, *interactions):
    return {"type": "session_update", "session_id": SESSION, "interaction_id": "", "owner": "u", "epoch": 1, "seq": seq,
            "session": {"epoch": 1, "seq": seq, "interactions": list(interactions),
                        "interactions_total": len(interactions)}, **NULLS}


def update(seq, body):
    return {"type": "interaction_update", "session_id": SESSION, "interaction_id": body["id"], "owner": "u", "epoch": 1,
            "seq": seq, "interaction": body, **NULLS}


def patched(seq, *patches, count=1):
    return {"type": "interaction_patch", "session_id": SESSION, "interaction_id": "int_1", "owner": "u", "epoch": 1,
            "seq": seq, "entry_patches": list(patches), "entry_count": count, **NULLS}


def violations(*frames):
    view = View(SESSION)
    for frame in frames:
        view.take(frame)
    return view.violations


TEXT = {"type": "text", "content": "ab", "message_id": "1"}


def test_a_turn_by_the_book_has_no_violation():
    assert violations(full(1), update(2, interaction()), patched(3, patch(0, "a", 1)), patched(4, patch(1, "b", 2)),
                      update(5, interaction("complete", [TEXT]))) == []
    assert violations(full(3, interaction(entries=[TEXT])), patched(3, patch(0, "ab", 2)),
                      patched(4, patch(2, "c", 3))) == []


@pytest.mark.parametrize("frames", [
    [update(2, interaction())],
    [full(1), update(3, interaction())],
    [full(1), update(1, interaction())],
    [full(1), {**update(2, interaction()), "epoch": 2}],
    [full(1), {k: v for k, v in update(2, interaction()).items() if k != "step_info"}],
    [full(1), {**update(2, interaction()), "extra": 1}],
    [full(1), patched(2, patch(0, "a", 1))],
    [full(1), update(2, interaction()), update(3, interaction(entries=[TEXT]))],
    [full(1), update(2, interaction("complete", [TEXT])), patched(3, patch(2, "c", 3))],
    [full(1), update(2, interaction("complete", [TEXT])), update(3, interaction("error", [TEXT]))],
    [full(1), update(2, {**interaction("complete", [TEXT]), "entries_sha256": "0"})],
    [full(1, interaction(entries=[TEXT])), patched(2, patch(2, "c", 3))],
    [full(1, interaction(entries=[TEXT])), patched(1, patch(0, "xy", 2))],
    [full(5), full(4)],
    [full(1), {"type": "heartbeat"}],
], ids=["no-full-first", "hole", "repeat", "epoch", "null-missing", "extra-field", "patch-of-nothing",
        "update-between", "patch-after-end", "terminal-changed", "hash", "no-baseline", "baseline-differs", "backwards",
        "unknown-type"])
def test_every_breach_is_seen(frames):
    assert len(violations(*frames)) >= 1
