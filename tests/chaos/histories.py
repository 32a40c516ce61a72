"""A right history for the judge's tests, and how to change it."""

import copy

from chaos import checker
from chaos.history import Followed, Prompt, Sent, SentTurn, SessionHistory, Stored, Viewing
from support.view import View, entries_sha256, joined

AT = "2026-01-01T00:00:{:02d}.000000Z"
NEW_YEAR = 1767225600.0  # 2026-01-01T00:00:00Z


def entry(message_id, content, kind="text", **more):
    return {"type": kind, "content": content, "message_id": message_id, **more}


def interaction(number, prompt, entries, state="complete", **more):
    return {"id": f"int_{number}", "session_id": "ses_1", "ordinal": number, "created": AT.format(10 * number),
            "updated": AT.format(10 * number + 5), "completed": AT.format(10 * number + 5), "state": state, "error": "",
            "prompt_message": prompt, "prompt_id": f"p-{number}", "response_entries": entries,
            "response_message": joined(entries), "entries_sha256": entries_sha256(entries), **more}


def viewing(stored, head, name="v2 0", kind="v2"):
    view = View("ses_1")
    view.interactions = {i["id"]: copy.deepcopy(i) for i in stored}
    view.total, view.position = len(stored), head
    return Viewing(name, kind, view)


def right(numbered=False):
    """Two prompts, answered: the second with a tool call."""
    first = [entry("1", "one two")]
    second = [entry("3", "three"), entry("4", "**ls**", "tool_call", tool_name="ls", tool_status="Completed")]
    stored = [interaction(1, "Prompt 1", first), interaction(2, "Prompt 2", second)]
    head = (1, 9)
    sent = Sent(
        numbered, emitted=12 if numbered else 0, acknowledged=12 if numbered else 0,
        turns=[SentTurn("int_1", "Prompt 1", [("text", "1", "one two", None, None)], "complete", began=NEW_YEAR + 10),
               SentTurn("int_2", "Prompt 2", [("text", "3", "three", None, None),
                                              ("tool_call", "4", "**ls**", "ls", "Completed")], "complete",
                        began=NEW_YEAR + 20)],
        versions={"1": {"one", "one two"}, "3": {"three"}, "4": {"**ls**"}},
        deliveries=[("int_1", "Prompt 1", False), ("int_2", "Prompt 2", False)])
    events = {(1, seq): 100 + seq for seq in range(1, 10)}
    return SessionHistory(
        "ses_1", [Prompt("p-1", "Prompt 1", 0, interaction_id="int_1", position=(1, 2)),
                  Prompt("p-2", "Prompt 2", 1, interaction_id="int_2", position=(1, 6))], sent,
        [viewing(stored, head)], [Followed("int_2", copy.deepcopy(second), "complete")],
        Stored(stored, head, [], events), dict(list(events.items())[3:]))


def rules(history):
    return {violation.rule for violation in checker.judge(history)}


def of(history, number):
    return history.stored.interactions[number - 1]


def show(history):
    """The viewer shows what is stored, whatever that is."""
    history.viewers = [viewing(history.stored.interactions, history.stored.head)]
    history.followed = []
