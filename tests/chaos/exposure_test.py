"""What may honestly be lost, and that nothing else is excused with it."""

import pytest

from chaos import checker
from chaos.checker_test import (a_completed_turn_is_an_error, an_entry_is_doubled, an_entry_is_lost, entries_change_places,
                                text_is_doubled, text_is_lost)
from chaos.histories import NEW_YEAR, entry, interaction, of, right, rules, show
from chaos.history import SentTurn
from support.view import entries_sha256


def away(since, until):
    return (NEW_YEAR + since, NEW_YEAR + until)


@pytest.mark.parametrize("cut, honest", [((9.0, 19.9), False), ((21.0, 22.0), True), ((24.9, 40.0), True),
                                         ((25.1, 40.0), False)])
def test_a_stock_agent_loses_only_what_was_on_a_connection_that_ended(cut, honest):
    history = right()
    history.sent.cuts = [away(*cut)]
    of(history, 2)["response_entries"] = of(history, 2)["response_entries"][:1]
    show(history)
    assert ("answers" not in rules(history)) == honest


def test_a_stock_turn_lost_with_its_connection_ends_by_the_clock_and_in_no_other_way():
    history = right()
    history.sent.cuts = [away(21, 22)]
    of(history, 2).update(state="error", error="the agent is gone", error_code="lost_contact")
    show(history)
    assert checker.judge(history) == []
    of(history, 2).update(error_code="poison")
    show(history)
    assert rules(history) == {"answers"}


@pytest.mark.parametrize("back, honest", [(19.9, False), (20.5, True)])
def test_a_prompt_that_went_out_while_a_stock_agent_was_away_may_be_lost(back, honest):
    history = right()
    history.sent.cuts = [away(15.0, back)]
    del history.sent.turns[1]
    history.sent.deliveries.pop()
    of(history, 2).update(state="error", error="not heard", error_code="lost_contact", response_entries=[],
                          response_message="", entries_sha256=entries_sha256([]))
    show(history)
    assert ("answers" not in rules(history)) == honest


def test_what_an_agent_had_said_is_lost_with_its_process_and_a_prompt_may_go_out_again():
    history = right(numbered=True)
    history.sent.crashes = [NEW_YEAR + 22]
    history.sent.turns[1].ended = "crashed"
    of(history, 2).update(state="error", error="restarted", error_code="agent_restarted", response_entries=[],
                          response_message="", entries_sha256=entries_sha256([]))
    show(history)
    assert checker.judge(history) == []
    history.sent.deliveries.append(("int_2", "Prompt 2", False))
    assert checker.judge(history) == []
    history.sent.crashes = [NEW_YEAR + 12]
    assert rules(history) == {"answers"}


@pytest.mark.parametrize("plant", [text_is_doubled, an_entry_is_doubled])
def test_a_lost_connection_excuses_nothing_invented_or_doubled(plant):
    history = right()
    history.sent.cuts = [away(11, 12), away(21, 22)]
    plant(history)
    assert "answers" in rules(history)


@pytest.mark.parametrize("lost", [True, False])
def test_an_entry_whose_first_words_were_lost_stands_where_it_was_said_again(lost):
    history = right()
    history.sent.cuts = [away(21, 22)] if lost else []
    entries_change_places(history)
    assert ("answers" not in rules(history)) == lost


@pytest.mark.parametrize("plant", [text_is_lost, a_completed_turn_is_an_error, an_entry_is_lost, entries_change_places])
def test_a_numbered_agent_loses_nothing_with_its_connection(plant):
    history = right(numbered=True)
    history.sent.cuts = [away(11, 12), away(21, 22)]
    plant(history)
    assert "answers" in rules(history)


def test_a_numbered_agent_has_everything_acknowledged_in_the_end():
    history = right(numbered=True)
    history.sent.acknowledged = 11
    assert rules(history) == {"acknowledgements"}
    history = right(numbered=True)
    history.sent.faults.append("resumed at 7, 9 was acknowledged")
    assert rules(history) == {"acknowledgements"}


def typed(history):
    said = SentTurn("int_2", "typed here", [("text", "6", "aha", None, None)], "complete", typed=True)
    history.sent.turns.append(said)
    history.sent.versions["6"] = {"aha"}
    history.stored.interactions.append({**interaction(3, "typed here", [entry("6", "aha")]), "prompt_id": None})
    show(history)
    return history


def test_what_was_typed_in_the_editor_is_one_turn():
    assert checker.judge(typed(right(numbered=True))) == []


def test_what_was_typed_is_not_lost_and_not_twice():
    history = typed(right(numbered=True))
    history.stored.interactions.append({**of(history, 3), "id": "int_4", "ordinal": 4})
    show(history)
    assert "duplicated_or_invented_turns" in rules(history)
    history = typed(right(numbered=True))
    del history.stored.interactions[2]
    show(history)
    assert "answers" in rules(history)
