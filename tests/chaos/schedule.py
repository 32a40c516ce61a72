"""What is done to the system, and when: a function of the seed alone."""

import dataclasses
import random

SERVICES = ("gateway", "agent-bridge", "state-sync")
# What the system takes for its part, in seconds, beside the time that a fault is given: the next one comes after it.
TAKES = {("drain", "gateway"): 3.0, ("roll", "gateway"): 7.0, ("roll", "agent-bridge"): 4.0, ("roll", "services"): 14.0}
# Bounds of how long a fault lasts, in seconds. All are below the time after which a turn counts as lost.
LASTS = {
    "kill": (0.0, 3.0), "freeze": (1.0, 12.0), "drain": (0.0, 1.0), "cut": (1.0, 8.0), "stall": (1.0, 10.0),
    "scale_up": (0.0, 0.0), "scale_down": (0.0, 0.0), "roll": (0.0, 0.0), "kill_all": (0.0, 2.0),
    "freeze_server": (1.0, 6.0), "agents_cut": (0.0, 0.0), "agents_crash": (0.0, 0.0), "new_epoch": (0.0, 0.0),
    "long_freeze": (18.0, 25.0), "minutes_freeze": (120.0, 150.0),
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """`at` and `lasts` in seconds. `choice` in [0, 1) picks among the replicas there are then. `ways`: both directions
    of a link, or one of them."""
    at: float
    kind: str
    target: str
    lasts: float
    choice: float
    ways: str = "both"

    @property
    def name(self):
        return f"{self.kind} {self.target}"


def every_kind():
    """(kind, target): each once, so that a bag of all of them is fair to each."""
    kinds = [(kind, service) for service in SERVICES
             for kind in ("kill", "freeze", "long_freeze", "drain", "roll", "cut nats", "stall nats", "scale_up",
                          "scale_down")]
    kinds += [("cut postgres", "state-sync"), ("stall postgres", "state-sync")]
    kinds += [("kill", "nats"), ("freeze", "nats"), ("kill", "postgres"), ("freeze", "postgres")]
    kinds += [("kill", "front")]
    kinds += [("agents_cut", "agents"), ("agents_crash", "agents")]
    return kinds + [("kill_all", "services"), ("roll", "services"), ("new_epoch", "database")]


# Only in runs that name them: one of these takes as long as twenty others.
RARE = [("minutes_freeze", service) for service in SERVICES]
# What the short form goes through: what must never break, quickest first.
SHORT = [("kill", "state-sync"), ("kill", "gateway"), ("kill", "agent-bridge"), ("kill", "nats"), ("kill", "postgres"),
         ("cut nats", "state-sync"), ("freeze", "state-sync"), ("drain", "agent-bridge"), ("agents_cut", "agents")]


def bounds_of(kind, target):
    if kind == "freeze" and target in ("nats", "postgres"):
        return LASTS["freeze_server"]
    return LASTS[kind.split()[0]]


def plan(seed, seconds, kinds=None, apart=(5.0, 10.0), twice=0.15):
    """Faults in time order within `seconds`, `apart` from the end of one to the next. All kinds come once before any
    comes again; a share of them, `twice`, comes with the next one on its heels."""
    rng = random.Random(f"schedule {seed}")
    kinds = list(kinds or every_kind())
    faults, at, bag = [], rng.uniform(*apart), []
    while at < seconds:
        if not bag:
            bag = kinds[:]
            rng.shuffle(bag)
        kind, target = bag.pop()
        low, high = bounds_of(kind, target)
        faults.append(Fault(round(at, 3), kind, target, round(rng.uniform(low, high), 3), rng.random(),
                            rng.choice(("both", "both", "to_server", "to_process"))))
        lasts = faults[-1].lasts + TAKES.get((kind, target), 0.0)
        at += rng.uniform(0.0, 1.0) if rng.random() < twice else lasts + rng.uniform(*apart)
    return faults
