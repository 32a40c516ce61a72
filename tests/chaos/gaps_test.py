"""What a viewer waited for, and at which fault's door it is laid."""

from chaos import gaps
from chaos.gaps import Done, Lag


def test_a_word_counts_as_shown_when_the_viewer_holds_as_much():
    said = []
    lag = Lag(said)
    said += [(1.0, "a", 5), (2.0, "a", 9)]
    held = {"a": 4}
    lag.shown(2.5, held.get)
    assert lag.samples == []
    held["a"] = 7
    lag.shown(3.0, held.get)
    assert lag.samples == [(1.0, 2.0)]
    held["a"] = 9
    lag.shown(4.0, held.get)
    assert lag.samples == [(1.0, 2.0), (2.0, 2.0)]
    lag.shown(5.0, held.get)
    assert len(lag.samples) == 2


def test_what_has_ended_has_been_shown_and_what_came_before_the_viewer_is_not_missed():
    said = [(1.0, "a", 5)]
    lag = Lag(said)
    said += [(2.0, "a", 9), (3.0, "b", 1)]
    lag.shown(3.5, {"a": None, "b": 1}.get)
    assert lag.samples == [(2.0, 1.5), (3.0, 0.5)]
    said.append((4.0, "b", 2))
    lag.skip()
    lag.shown(9.0, {"b": 2}.get)
    assert len(lag.samples) == 2


def test_a_gap_is_the_longest_wait_of_each_viewer_around_the_fault():
    samples = [[(9.5, 0.1), (10.5, 2.0), (11.0, 1.5), (40.0, 9.0)], [(10.2, 0.01)], [(1.0, 8.0)]]
    found = gaps.measure([Done("kill gateway", 10.0, 11.0)], samples)
    gap = found["kill gateway"]
    assert (gap.lasted, gap.alone, sorted(gap.waits), gap.noticed) == ([1.0], 1, [0.01, 2.0], [2.0])


def test_faults_of_a_kind_are_measured_together_and_the_next_fault_ends_a_window():
    samples = [[(10.5, 1.0), (15.0, 3.0), (30.0, 2.0)]]
    faults = [Done("kill", 30.0, 30.1), Done("kill", 10.0, 10.1), Done("drain", 14.5, 16.0)]
    found = gaps.measure(faults, samples)
    assert (len(found["kill"].lasted), found["kill"].alone, sorted(found["kill"].waits)) == (2, 2, [1.0, 2.0])
    assert found["drain"].waits == [3.0] and found["drain"].lasted == [1.5]
    found["kill"].add(found["drain"])
    assert found["kill"].alone == 3 and sorted(found["kill"].waits) == [1.0, 2.0, 3.0] and len(found["kill"].lasted) == 3


def test_a_fault_that_did_not_strike_alone_is_counted_and_not_measured():
    samples = [[(19.0, 4.0), (50.0, 1.0)]]
    faults = [Done("freeze", 10.0, 20.0), Done("kill", 15.0, 15.1), Done("kill", 22.0, 22.1), Done("drain", 50.0, 50.1)]
    found = gaps.measure(faults, samples)
    assert (found["freeze"].alone, found["freeze"].waits, found["kill"].alone) == (0, [], 0)
    assert len(found["kill"].lasted) == 2
    assert found["drain"].alone == 1


def test_quantiles_and_rest():
    assert gaps.quantile([], 0.5) == 0.0
    assert gaps.quantile([1, 2, 3, 4], 0.5) == 3 and gaps.quantile(list(range(100)), 0.99) == 99
    assert gaps.at_rest(10.0, [[(1.0, 0.1), (11.0, 5.0)], [(2.0, 0.3)]]) == (0.3, 0.3, 2)
