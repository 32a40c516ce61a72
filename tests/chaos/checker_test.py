"""The judge finds nothing in a right history, and each kind of wrong in one where that was planted."""

import pytest

from chaos import checker
from chaos.histories import entry, interaction, of, right, rules, show
from chaos.history import Followed, Prompt, SentTurn


@pytest.mark.parametrize("numbered", [False, True])
def test_a_right_history_has_no_violation(numbered):
    assert checker.judge(right(numbered)) == []


def a_prompt_is_lost(h):
    del h.stored.interactions[1]
    show(h)


def a_prompt_was_never_decided(h):
    h.prompts.append(Prompt("p-3", "Prompt 3", 2))


def an_acknowledgement_names_what_is_not_stored(h):
    h.prompts[1].position = (1, 10)


def a_prompt_became_two_turns(h):
    h.stored.interactions.append(interaction(3, "Prompt 2", [], prompt_id="p-2"))
    show(h)


def a_turn_that_nobody_asked_for(h):
    h.stored.interactions.append(interaction(3, "", []))
    show(h)


def another_prompt_stands_where_it_was_acknowledged(h):
    of(h, 1)["prompt_message"], of(h, 2)["prompt_message"] = "Prompt 2", "Prompt 1"
    show(h)


def prompts_in_another_order(h):
    h.stored.interactions.reverse()
    of(h, 1)["ordinal"], of(h, 2)["ordinal"] = 1, 2
    show(h)


def an_ordinal_twice(h):
    of(h, 2)["ordinal"] = 1
    show(h)


def a_turn_that_never_ended(h):
    of(h, 2).update(state="waiting", completed=None)
    show(h)


def a_prompt_left_in_the_queue(h):
    h.stored.queue = [{"prompt_id": "p-3"}]


def a_prompt_sent_twice(h):
    h.sent.deliveries.append(("int_2", "Prompt 2", False))


def a_stock_agent_told_redelivered(h):
    h.sent.deliveries.append(("int_2", "Prompt 2", True))


def a_prompt_sent_with_other_words(h):
    h.sent.deliveries[1] = ("int_2", "Prompt 1", False)


def text_is_lost(h):
    of(h, 1)["response_entries"] = [entry("1", "one")]
    show(h)


def an_entry_is_lost(h):
    del of(h, 2)["response_entries"][1]
    show(h)


def text_is_doubled(h):
    of(h, 1)["response_entries"] = [entry("1", "one twoone two")]
    show(h)


def an_entry_is_doubled(h):
    of(h, 2)["response_entries"] = [of(h, 2)["response_entries"][0]] * 2
    show(h)


def entries_change_places(h):
    of(h, 2)["response_entries"].reverse()
    show(h)


def text_of_another_turn(h):
    of(h, 2)["response_entries"].insert(0, entry("1", "one two"))
    show(h)


def a_tool_call_keeps_an_old_status(h):
    of(h, 2)["response_entries"][1]["tool_status"] = "Pending"
    show(h)


def a_completed_turn_is_an_error(h):
    of(h, 2).update(state="error", error="gone", error_code="agent_lost")
    show(h)


def a_failed_turn_is_complete(h):
    h.sent.turns[1].ended, h.sent.turns[1].error = "error", "out of tokens"


def a_cancelled_turn_is_complete(h):
    h.prompts[1].cancel = "cancelled"


def a_turn_that_the_cancel_did_not_end_is_interrupted(h):
    h.prompts[1].cancel = "noop"
    of(h, 2)["state"] = "interrupted"
    show(h)


def interrupted_by_nobody(h):
    of(h, 2)["state"] = "interrupted"
    show(h)


def cancelled_by_nobody(h):
    h.sent.turns[1].ended = "cancelled"


def an_answer_without_a_turn(h):
    h.sent.turns.append(SentTurn("int_3", "Prompt 3", [], "complete"))


def an_end_that_its_agent_did_not_give(h):
    h.sent.turns[1].ended = "open"


def the_log_has_a_hole(h):
    del h.stored.events[(1, 5)]
    h.seen = {}


def the_log_is_out_of_place(h):
    h.stored.log_faults.append("event (1, 5) stands at place 4 of the log")


def an_event_was_seen_that_is_not_stored(h):
    h.seen[(1, 10)] = 110


def an_event_was_seen_with_other_words(h):
    h.seen[(1, 5)] = 7


def a_viewer_is_behind(h):
    h.viewers[0].view.position = (1, 8)


def a_viewer_shows_something_else(h):
    h.viewers[0].view.interactions["int_1"]["response_message"] = "one"


def a_viewer_misses_a_turn(h):
    del h.viewers[0].view.interactions["int_1"]
    h.viewers[0].view.total = 1


def a_viewer_saw_a_frame_against_the_rules(h):
    h.viewers[0].faults.append("seq 7 after 5")


def a_stream_never_ended(h):
    h.followed[0].outcome = None


def a_stream_ended_otherwise(h):
    h.followed[0].outcome = "turn_error"


def a_stream_shows_something_else(h):
    h.followed[0].entries.pop()


def a_stream_broke_the_rules(h):
    h.followed[0].faults.append("a chunk at or before 1:5")


def an_answer_that_no_contract_allows(h):
    h.faults.append("prompt p-1 was answered 500")


PLANTED = {
    a_prompt_is_lost: "lost_prompts", a_prompt_was_never_decided: "lost_prompts",
    an_acknowledgement_names_what_is_not_stored: "acknowledged_positions",
    a_prompt_became_two_turns: "duplicated_or_invented_turns",
    a_turn_that_nobody_asked_for: "duplicated_or_invented_turns",
    another_prompt_stands_where_it_was_acknowledged: "duplicated_or_invented_turns",
    prompts_in_another_order: "order", an_ordinal_twice: "order",
    a_turn_that_never_ended: "stuck", a_prompt_left_in_the_queue: "stuck",
    a_prompt_sent_twice: "deliveries", a_stock_agent_told_redelivered: "deliveries",
    a_prompt_sent_with_other_words: "deliveries",
    text_is_lost: "answers", an_entry_is_lost: "answers", text_is_doubled: "answers", an_entry_is_doubled: "answers",
    entries_change_places: "answers", text_of_another_turn: "answers", a_tool_call_keeps_an_old_status: "answers",
    a_completed_turn_is_an_error: "answers", a_failed_turn_is_complete: "answers",
    a_cancelled_turn_is_complete: "answers", a_turn_that_the_cancel_did_not_end_is_interrupted: "answers",
    interrupted_by_nobody: "answers", cancelled_by_nobody: "answers",
    an_answer_without_a_turn: "answers", an_end_that_its_agent_did_not_give: "answers",
    the_log_has_a_hole: "stored_log", the_log_is_out_of_place: "stored_log",
    an_event_was_seen_that_is_not_stored: "stored_log", an_event_was_seen_with_other_words: "stored_log",
    a_viewer_is_behind: "viewers", a_viewer_shows_something_else: "viewers", a_viewer_misses_a_turn: "viewers",
    a_viewer_saw_a_frame_against_the_rules: "viewers",
    a_stream_never_ended: "streams", a_stream_ended_otherwise: "streams", a_stream_shows_something_else: "streams",
    a_stream_broke_the_rules: "streams", an_answer_that_no_contract_allows: "contract",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda p: p.__name__)
def test_what_was_planted_is_found(plant):
    history = right()
    plant(history)
    assert PLANTED[plant] in rules(history)


def test_every_rule_has_a_plant():
    assert set(PLANTED.values()) | {"acknowledgements"} == {rule.__name__ for rule in checker.RULES}


def test_a_prompt_that_was_cancelled_in_the_queue_leaves_no_turn():
    history = right()
    history.prompts.append(Prompt("p-3", "Prompt 3", 2, interaction_id="int_3", position=(1, 7), cancel="cancelled"))
    history.followed.append(Followed("int_3", [], "turn_interrupted"))
    assert checker.judge(history) == []


def test_an_interrupt_may_overtake_and_end_what_runs():
    history = right()
    history.prompts[1].interrupt = True
    history.stored.interactions = [of(history, 2), of(history, 1)]
    of(history, 1)["ordinal"], of(history, 2)["ordinal"] = 1, 2
    of(history, 2)["state"] = "interrupted"
    show(history)
    assert checker.judge(history) == []
