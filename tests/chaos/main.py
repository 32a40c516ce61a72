"""`tests/chaos/run`: one seeded run with a report, or the short form of the suite."""

import argparse
import asyncio
import json
import pathlib
import sys
import time

from chaos import report, schedule
from chaos.load import Pace
from chaos.trial import AGENTS, Size, trial

HERE = pathlib.Path(__file__).resolve().parent
SHORT_S = 50.0


def replicas(text):
    counts = dict(Size().replicas)
    for part in text.split(","):
        service, _, count = part.partition("=")
        if service not in counts or not count.isdigit() or not 1 <= int(count) <= 8:
            raise argparse.ArgumentTypeError(f"{part!r} is not one of {', '.join(counts)} with a number from 1 to 8")
        counts[service] = int(count)
    return counts


def options():
    parser = argparse.ArgumentParser(prog="tests/chaos/run", description="Load, faults and a judge.")
    parser.add_argument("--seed", type=int, default=1, help="decides load and schedule")
    parser.add_argument("--minutes", type=float, help="how long faults are injected; without it: the short form")
    parser.add_argument("--sessions", type=int, default=Size().sessions, help="agents; each has two viewers and more")
    parser.add_argument("--agents", choices=AGENTS, default=Size().agents, help="which wire the agents speak")
    parser.add_argument("--replicas", type=replicas, default=Size().replicas, metavar="SERVICE=N,...")
    parser.add_argument("--kinds", help="only faults whose name contains one of these words; comma list")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="the report for programs")
    parser.add_argument("--merge", type=pathlib.Path, nargs="+", metavar="FILE", help="no run: several reports as one")
    parser.add_argument("--set-ups", action="store_true", help="no run: the tests of whole set-ups (set_ups_test.py)")
    parser.add_argument("-k", metavar="NAME", help="short form: only tests whose name matches")
    return parser.parse_args()


def wanted_kinds(words, kinds):
    if not words:
        return kinds
    known = [*kinds, *schedule.RARE]
    words = words.split(",")
    found = [(k, t) for k, t in kinds if any(word in f"{k} {t}" for word in words)]
    found += [(k, t) for k, t in schedule.RARE if any(word.startswith(k) and word in f"{k} {t}" for word in words)]
    if not found:
        sys.exit(f"no fault is named like {' or '.join(words)}: {', '.join(' '.join(k) for k in known)}")
    return found


def sayer():
    began = time.monotonic()
    return lambda what: print(f"{time.monotonic() - began:7.1f} {what}", flush=True)


def one_run(chosen):
    size = Size(sessions=chosen.sessions, replicas=chosen.replicas, agents=chosen.agents)
    seconds = chosen.minutes * 60
    faults = schedule.plan(chosen.seed, seconds, wanted_kinds(chosen.kinds, schedule.every_kind()))
    outcome = asyncio.run(trial(chosen.seed, seconds, size, faults, sayer()))
    return finish(outcome, chosen)


def tests_of(paths, chosen):
    """(passed, failed) of pytest files."""
    import pytest  # a long run does without

    counter = Counter()
    status = pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), *map(str, paths),
                          *(["-k", chosen.k] if chosen.k else [])], plugins=[counter])
    return counter.passed, counter.failed or int(status not in (0, 5))


def short_form(chosen):
    """The tests of this folder, but for the slow ones, then a short run with a few faults."""
    slow = HERE / "set_ups_test.py"
    files = [slow] if chosen.set_ups else sorted(set(HERE.glob("*_test.py")) - {slow})
    passed, failed = tests_of(files, chosen)
    if not chosen.k and not chosen.set_ups:
        size = Size(sessions=min(chosen.sessions, 40), replicas=chosen.replicas, agents=chosen.agents,
                    pace=Pace(words=(3, 8), life_s=(8, 30)), warm_up_s=3.0)
        faults = schedule.plan(chosen.seed, SHORT_S, wanted_kinds(chosen.kinds, schedule.SHORT), apart=(4.0, 6.0))
        more = count(asyncio.run(trial(chosen.seed, SHORT_S, size, faults, sayer())), chosen)
        passed, failed = passed + more[0], failed + more[1]
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


class Counter:
    def __init__(self):
        self.passed = self.failed = 0

    def pytest_runtest_logreport(self, report):
        if report.failed or report.skipped:
            self.failed += 1
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report):
        self.failed += report.failed


def count(outcome, chosen):
    """(rules that held, rules that were broken), after the report has been printed."""
    print(report.text(outcome), flush=True)
    if chosen.json:
        chosen.json.write_text(report.as_json(outcome), encoding="utf-8")
    broken = sum(1 for violations in report.rules(outcome).values() if violations)
    return len(report.rules(outcome)) - broken, broken


def finish(outcome, chosen):
    passed, failed = count(outcome, chosen)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    chosen = options()
    if chosen.merge:
        print(report.merged([json.loads(path.read_text(encoding="utf-8")) for path in chosen.merge]))
        return 0
    return short_form(chosen) if chosen.minutes is None else one_run(chosen)


if __name__ == "__main__":
    sys.exit(main())
