"""The folds take what the contract allows, and each breach of it has a name."""

import json

import pytest

from chaos.views import ChatView, Ledger, NumberedView

NULLS = {"worker_task_response": None, "inference_response": None, "step_info": None}


def event(kind, seq, interaction="", epoch=1, **body):
    return {"type": kind, "session_id": "ses_1", "interaction_id": interaction, "owner": "o", "epoch": epoch,
            "seq": seq, **NULLS, **body}


def session(seq, interactions, epoch=1):
    return {"id": "ses_1", "epoch": epoch, "seq": seq, "interactions": interactions,
            "interactions_total": len(interactions or [])}


def full(seq, epoch=1):
    return event("session_update", seq, epoch=epoch, session=session(seq, [], epoch))


def change(seq, epoch=1):
    return event("session_update", seq, epoch=epoch, session=session(seq, None, epoch))


def small(kind, seq, **more):
    return {"type": kind, "session_id": "ses_1", "epoch": 1, "seq": seq, **more}


def folded(*frames, since=None, at=None):
    view = NumberedView("ses_1")
    if at:
        view.connected()
        view.take(full(at))
    view.connected(since)
    for frame in frames:
        view.take(frame)
    return view


RIGHT = [
    folded(full(4), change(5), change(6), small("heartbeat", 6)),
    folded(change(5), change(6), small("replay_complete", 6), change(7), at=4, since="1:4"),
    folded(small("replay_complete", 4), small("heartbeat", 4), at=4, since="1:4"),
    folded(full(9), change(10), at=4, since="1:4"),
    folded(full(5, epoch=2), change(6, epoch=2), at=4, since="1:4"),
    folded(change(5), change(6, epoch=2), small("replay_complete", 6, epoch=2), at=4, since="1:4"),
    folded(small("replay_complete", 4, epoch=2), change(5, epoch=2), at=4, since="1:4"),
    folded(full(4), {"type": "reconnect", "after_ms": 40}),
    folded(full(4), {"type": "ack", "id": "1", "status": "ok"}),
]


@pytest.mark.parametrize("view", RIGHT, ids=range(len(RIGHT)))
def test_what_a_numbered_viewer_may_see(view):
    assert view.violations == []


@pytest.mark.parametrize("view", [
    folded(change(5)),
    folded(full(4), change(6)),
    folded(full(4), change(4)),
    folded(full(4), change(5), change(5)),
    folded(full(4), small("heartbeat", 5)),
    folded(full(4), small("heartbeat", 3)),
    folded(small("heartbeat", 3)),
    folded(full(4), small("heartbeat", 4, more=1)),
    folded(change(6), at=4, since="1:4"),
    folded(change(5), small("replay_complete", 6), at=4, since="1:4"),
    folded(small("heartbeat", 4), at=4, since="1:4"),
    folded(full(4), small("replay_complete", 4)),
    folded(full(3), at=4),
    folded(full(4), change(5, epoch=2)),
    folded(full(4), small("heartbeat", 4, epoch=2)),
    folded(change(6, epoch=2), at=4, since="1:4"),
    folded(full(4), event("interaction_patch", 5, "int_1", entry_patches=[], entry_count=0)),
    folded(full(4), {"type": "reconnect", "after_ms": -1}),
    folded(full(4), {"type": "noise"}),
])
def test_what_it_may_not(view):
    assert view.violations


def test_all_viewers_of_a_session_see_one_event_at_one_position():
    ledger = Ledger()
    views = [NumberedView("ses_1") for _ in range(2)]
    for view in views:
        view.events = ledger
        view.connected()
        view.take(full(4))
        view.take(change(5))
    assert not views[0].violations and not views[1].violations
    views[0].take(change(6))
    other = change(6)
    other["session"]["name"] = "else"
    views[1].take(other)
    assert not views[0].violations and len(views[1].violations) == 1


def patch(index, offset, text, length, message="1", **more):
    return {"index": index, "message_id": message, "type": "text", "patch_offset": offset, "patch": text,
            "total_length": length, **more}


def chunk(patches=None, content=None, **more):
    delta = {} if content is None else {"content": content}
    body = {"id": "ses_1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta,
                                                                          "finish_reason": None}], **more}
    return json.dumps(body if patches is None else {**body, "entry_patches": patches})


OPEN = ("1:4", chunk([patch(0, 0, "one", 3)], "one", reset=True))
MORE = ("1:6", chunk([patch(0, 3, " two", 7)], " two"))
END = ("1:9", json.dumps({"id": "ses_1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
FAILED = ("1:9", json.dumps({"error": {"code": "turn_error", "message": "m"}}))
TIRED = (None, json.dumps({"error": {"code": "agent_timeout", "message": "m"}}))
DONE = (None, "[DONE]")


def told(*connections):
    view = ChatView("ses_1")
    for events in connections:
        view.connected()
        for event_id, data in events:
            view.take(event_id, data)
    return view


@pytest.mark.parametrize("connections, outcome", [
    ([[OPEN, MORE, END, DONE]], "complete"),
    ([[OPEN, MORE, FAILED, DONE]], "turn_error"),
    ([[OPEN], [("1:4", chunk()), MORE, END, DONE]], "complete"),
    ([[OPEN, MORE, END], [END, DONE]], "complete"),
    ([[OPEN, MORE], [END, DONE]], "complete"),
    ([[OPEN, TIRED, DONE], [("1:4", chunk()), MORE, END, DONE]], "complete"),
    ([[OPEN], [("1:6", chunk([patch(0, 0, "one two", 7)], "one two", reset=True)), END, DONE]], "complete"),
    ([[("1:40", chunk([patch(0, 0, "one two", 7)], "one two", reset=True)), END, DONE]], "complete"),
    ([[OPEN, ("2:20", chunk([patch(0, 0, "one two", 7)], "one two", reset=True)), END, DONE]], "complete"),
], ids=range(9))
def test_what_a_stream_may_say(connections, outcome):
    view = told(*connections)
    assert view.violations == [] and view.done and view.outcome == outcome
    assert [e["content"] for e in view.entries] == ["one two"]


@pytest.mark.parametrize("connections", [
    [[MORE]],
    [[OPEN, DONE]],
    [[OPEN, END, MORE]],
    [[OPEN, MORE, MORE]],
    [[OPEN, ("1:4", MORE[1])]],
    [[OPEN, ("1:6", chunk([patch(0, 4, "two", 7)]))]],
    [[OPEN, ("1:6", chunk([patch(0, 3, " two", 8)]))]],
    [[OPEN, ("1:6", chunk([patch(0, 3, " two", 7)], " too"))]],
    [[OPEN, (None, MORE[1])]],
    [[OPEN], [("1:5", chunk()), MORE]],
    [[OPEN], [("1:4", chunk(content="one"))]],
    [[OPEN, ("1:6", chunk([patch(0, 0, "one two", 7)], "one two", reset=True))]],
    [[OPEN, MORE, END, DONE], [FAILED]],
    [[OPEN, MORE, ("1:5", END[1])]],
    [[END, DONE]],
    [[OPEN, (None, json.dumps({"error": {"code": "teapot", "message": "m"}}))]],
    [[OPEN, ("1:6", "not json")]],
], ids=range(17))
def test_what_it_may_not_say(connections):
    assert told(*connections).violations
