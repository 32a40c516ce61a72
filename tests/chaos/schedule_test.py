"""The schedule is a function of its seed, fair to every kind of fault, and within its bounds."""

import collections

from chaos import schedule


def test_a_seed_gives_the_same_schedule_again_and_another_seed_another():
    assert schedule.plan(7, 300) == schedule.plan(7, 300)
    assert schedule.plan(7, 300) != schedule.plan(8, 300)


def test_a_longer_run_begins_like_a_shorter_one():
    short = schedule.plan(7, 100)
    assert schedule.plan(7, 300)[:len(short)] == short


def test_every_kind_comes_before_any_comes_again():
    kinds = schedule.every_kind()
    assert len(set(kinds)) == len(kinds)
    faults = schedule.plan(3, 10_000)
    for start in range(0, len(faults) - len(kinds), len(kinds)):
        assert {(f.kind, f.target) for f in faults[start:start + len(kinds)]} == set(kinds)


def test_every_service_suffers_everything_a_service_can():
    by_service = collections.defaultdict(set)
    for kind, target in schedule.every_kind():
        by_service[target].add(kind)
    everywhere = {"kill", "freeze", "long_freeze", "drain", "cut nats", "stall nats", "scale_up", "scale_down", "roll"}
    for service in schedule.SERVICES:
        assert by_service[service] >= everywhere
    assert by_service["state-sync"] >= {"cut postgres", "stall postgres"}
    assert by_service["nats"] == by_service["postgres"] == {"kill", "freeze"}
    assert by_service["front"] == {"kill"} and by_service["services"] == {"kill_all", "roll"}


def test_faults_stay_within_their_bounds_and_in_order():
    faults = schedule.plan(5, 5000)
    assert faults[-1].at < 5000 and [f.at for f in faults] == sorted(f.at for f in faults)
    for fault in faults:
        low, high = schedule.bounds_of(fault.kind, fault.target)
        assert low <= fault.lasts <= high and 0 <= fault.choice < 1
        assert fault.ways in ("both", "to_server", "to_process")
    between = [b.at - a.at - a.lasts - schedule.TAKES.get((a.kind, a.target), 0) for a, b in zip(faults, faults[1:])]
    assert all(gap <= 10.01 for gap in between)
    assert 0.05 < sum(gap < 4.9 for gap in between) / len(between) < 0.3


def test_the_short_form_is_made_of_kinds_of_the_long_one():
    assert set(schedule.SHORT) <= set(schedule.every_kind())
