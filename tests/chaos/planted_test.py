"""Real processes, and a lie told to each of some sessions: every lie is found there, and nothing in the others."""

import asyncio
import collections

import pytest

from chaos import report
from chaos.load import Pace
from chaos.planted import EXPECTED, NAMES, planted
from chaos.trial import Size, trial

HONEST = 4
QUICK = Pace(word_s=(0.02, 0.1), pause_s=(0.05, 0.2), words=(5, 9), life_s=(60, 90), typed=0.7,
             turn_end_s=5.0)


@pytest.fixture(scope="module")
def found():
    """{session number: rules that were broken}, after one run with every lie."""
    size = Size(sessions=len(NAMES) + HONEST, replicas={"gateway": 1, "agent-bridge": 1, "state-sync": 1}, pace=QUICK,
                streams=1.0, warm_up_s=0.5, settle_s=6.0, level_s=5.0)
    outcome = asyncio.run(trial(1, 6.0, size, [], print, planted))
    print(report.text(outcome, shown=400))
    numbers = outcome.numbers
    by_session = collections.defaultdict(set)
    for violation in outcome.violations:
        by_session[numbers[violation.session]].add(violation.rule)
    return by_session


@pytest.mark.parametrize("name", NAMES)
def test_a_lie_is_found(found, name):
    assert found[NAMES.index(name)] & EXPECTED[name], found[NAMES.index(name)]


def test_where_nobody_lied_nothing_is_found(found):
    assert not [rules for number, rules in found.items() if number >= len(NAMES)]
