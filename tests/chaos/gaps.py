"""How long a fault was to be seen: per viewer, the longest time from an agent's word to its being shown. Pure."""

import bisect
import dataclasses

BEFORE_S = 1.0  # what an agent said just before a fault is still on its way when it strikes
AFTER_S = 10.0
LAST_S = 3.0  # a fault works on for so long after it is over, as a rule
NOTICED_S = 0.25  # a viewer that waited longer than this counts as one that the fault reached


class Lag:
    """What one viewer has still to be shown, and how long it waited for what it was shown.

    Said: the interaction and the length of all its text after the word. Shown: the same of what the viewer holds."""

    def __init__(self, said):
        self._said = said  # of the session: (instant, interaction id, length), in order
        self._next = len(said)
        self.samples = []  # (instant said, seconds until shown)

    def skip(self):
        """The viewer comes by its own will: what was said before is not missed."""
        self._next = len(self._said)

    def shown(self, now, length_of):
        """`length_of(interaction id)`: what the viewer holds of it; None when it holds it ended."""
        while self._next < len(self._said):
            instant, interaction_id, length = self._said[self._next]
            held = length_of(interaction_id)
            if held is not None and held < length:
                return
            self.samples.append((instant, now - instant))
            self._next += 1


@dataclasses.dataclass(frozen=True)
class Done:
    """A fault as it was carried out: its name and when it began and ended."""
    name: str
    began: float
    ended: float


@dataclasses.dataclass
class Gap:
    """Of all faults of one name; all in seconds. What was seen is only measured of those that struck alone."""
    lasted: list = dataclasses.field(default_factory=list)  # of each, with the restart that follows a kill
    alone: int = 0
    waits: list = dataclasses.field(default_factory=list)  # the longest of each viewer, per fault that struck alone

    @property
    def noticed(self):
        return [wait for wait in self.waits if wait > NOTICED_S]

    def add(self, other):
        self.lasted, self.alone = self.lasted + other.lasted, self.alone + other.alone
        self.waits = self.waits + other.waits


def quantile(values, share):
    """0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def windows(faults):
    """[(fault, from, to)] of those that struck alone: what was said then is laid at that fault's door. The next fault
    ends a window; one that began before a fault was over, or within LAST_S after it, and that fault, are not alone."""
    ordered = sorted(faults, key=lambda done: done.began)
    for index, done in enumerate(ordered):
        others = ordered[:index] + ordered[index + 1:]
        since, least = done.began - BEFORE_S, done.ended + LAST_S
        if any(other.began < least and other.ended + LAST_S > since for other in others):
            continue
        following = [other.began - BEFORE_S for other in others if other.began >= done.ended]
        yield done, since, min([done.ended + AFTER_S, *following])


def longest_waits(since, until, viewers):
    """The longest wait of each viewer (a sorted list of samples) in a window; none where nothing was said."""
    waits = []
    for samples in viewers:
        low = bisect.bisect_left(samples, (since,))
        high = bisect.bisect_right(samples, (until, float("inf")))
        if low < high:
            waits.append(max(wait for _, wait in samples[low:high]))
    return waits


def measure(faults, viewers):
    """{name of fault: Gap} over every viewer's samples."""
    found, spans = {}, list(windows(faults))
    viewers = [sorted(samples) for samples in viewers]
    for name in sorted({done.name for done in faults}):
        mine = [(since, until) for done, since, until in spans if done.name == name]
        found[name] = Gap([done.ended - done.began for done in faults if done.name == name], len(mine),
                          [wait for since, until in mine for wait in longest_waits(since, until, viewers)])
    return found


def at_rest(until, viewers):
    """(p50, p99, how many) of the waits for what was said before the first fault: what the gaps stand against."""
    waits = [wait for samples in viewers for instant, wait in samples if instant < until]
    return quantile(waits, 0.5), quantile(waits, 0.99), len(waits)
