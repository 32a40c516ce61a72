"""Runs of their own: a set-up that the judge has to find broken, and one that only looks so."""

import asyncio

from chaos import report, schedule
from chaos.load import Pace
from chaos.set_ups import a_database_that_forgets, several_owners_at_once
from chaos.trial import Size, trial

QUICK = Pace(word_s=(0.05, 0.3), pause_s=(0.05, 0.3), words=(4, 10), life_s=(5, 20), turn_end_s=90.0)
FORGETFUL = Pace(word_s=(0.05, 0.3), pause_s=(0.05, 0.3), words=(4, 10), life_s=(60, 90), turn_end_s=5.0)


def test_a_database_that_forgets_is_found():
    size = Size(sessions=12, replicas={"gateway": 1, "agent-bridge": 1, "state-sync": 1}, pace=FORGETFUL, warm_up_s=0.5,
                settle_s=5.0, level_s=5.0)
    outcome = asyncio.run(trial(1, 14.0, size, [], print, a_database_that_forgets))
    print(report.text(outcome))
    assert {"lost_prompts", "stored_log"} <= {v.rule for v in outcome.violations}


def test_with_several_owners_of_every_shard_nothing_goes_wrong():
    size = Size(sessions=16, pace=QUICK, warm_up_s=1.0, settle_s=60.0)
    faults = schedule.plan(1, 25.0, [("kill", "state-sync"), ("freeze", "state-sync"), ("kill", "agent-bridge"),
                                     ("agents_cut", "agents")])
    outcome = asyncio.run(trial(1, 25.0, size, faults, print, several_owners_at_once))
    print(report.text(outcome))
    assert not outcome.failed
