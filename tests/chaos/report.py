"""What a run is told as: text for people, JSON for programs."""

import collections
import json

from chaos.checker import RULES
from chaos.gaps import Gap, quantile


def command(outcome):
    size = outcome.size
    replicas = ",".join(f"{service}={count}" for service, count in size.replicas.items())
    return (f"tests/chaos/run --seed {outcome.seed} --minutes {outcome.seconds / 60:g} --sessions {size.sessions} "
            f"--agents {size.agents} --replicas {replicas}")


def milliseconds(seconds):
    return f"{seconds * 1000:.0f}"


def table(rows):
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first = str(row[0]).ljust(widths[0])
        lines.append("  ".join([first, *(str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip())
    return "\n".join(lines)


def gap_table(gaps):
    rows = [("fault", "times", "alone", "lasted ms", "viewers", "p50 ms", "p99 ms", "worst ms", "noticed",
             "their p50 ms")]
    for name, gap in gaps.items():
        share = f"{100 * len(gap.noticed) / len(gap.waits):.0f} %" if gap.waits else "-"
        seen = [quantile(gap.waits, 0.5), quantile(gap.waits, 0.99), max(gap.waits, default=0.0)]
        rows.append((name, len(gap.lasted), gap.alone, milliseconds(quantile(gap.lasted, 0.5)), len(gap.waits),
                     *(milliseconds(value) if gap.waits else "-" for value in seen), share,
                     milliseconds(quantile(gap.noticed, 0.5)) if gap.noticed else "-"))
    return table(rows)


def rules(outcome):
    """{rule: violations}; `processes` holds what is of no session."""
    counts = collections.Counter(v.rule for v in outcome.violations)
    return {**{rule.__name__: counts[rule.__name__] for rule in RULES}, "processes": len(outcome.wrong)}


def few_of_each(violations, most=3):
    """Of each rule and session the first: one breach is followed by many."""
    counts = collections.Counter()
    for violation in violations:
        counts[violation.rule, violation.session] += 1
        if counts[violation.rule, violation.session] <= most:
            yield violation


def text(outcome, shown=40):
    rest = outcome.rest
    parts = [
        f"seed {outcome.seed}, {outcome.seconds:.0f} s, replicas {outcome.size.replicas}, "
        f"agents: {outcome.size.agents}",
        ", ".join(f"{count} {what}" for what, count in outcome.counts.items()),
        "turns ended as: " + ", ".join(f"{count} {end}" for end, count in sorted(outcome.ends.items())),
        f"{len(outcome.faults)} faults ({outcome.skipped} skipped: nobody of the kind was free)",
        "", f"At rest, from an agent's word to a viewer: p50 {milliseconds(rest[0])} ms, "
        f"p99 {milliseconds(rest[1])} ms. "
        f"The load's own loop was late by p99 {milliseconds(outcome.loop_lag_s[0])} ms, at worst "
        f"{milliseconds(outcome.loop_lag_s[1])} ms.", ""]
    if outcome.gaps:
        parts += [gap_table(outcome.gaps), ""]
    parts += [f"{'FAILED' if count else 'held  '} {rule}{f': {count}' if count else ''}"
              for rule, count in rules(outcome).items()]
    found = outcome.wrong + [f"{v.rule} {v.session}: {v.what}" for v in few_of_each(outcome.violations)]
    parts += ["", *found[:shown], *([f"... and {len(found) - shown} more"] if len(found) > shown else [])]
    if outcome.failed:
        parts += ["", "Again: " + command(outcome)]
    return "\n".join(parts).rstrip()


def rounded(values):
    return [round(value, 3) for value in values]


def merged(reports):
    """Several runs' JSON as one text: what they were, and the gaps of all their faults together."""
    rows = [("seed", "seconds", "agents", "sessions", "viewers", "turns", "events", "faults", "violations")]
    gaps = {}
    for run in reports:
        counts = run["counts"]
        rows.append((run["seed"], f"{run['seconds']:.0f}", run["agents"], counts["sessions"], counts["viewers"],
                     counts["turns"], counts["events"], len(run["faults"]), len(run["violations"]) + len(run["wrong"])))
        for name, gap in run["gaps"].items():
            gaps.setdefault(name, Gap()).add(Gap(**gap))
    return table(rows) + "\n\n" + gap_table(dict(sorted(gaps.items())))


def as_json(outcome):
    return json.dumps({
        "seed": outcome.seed, "seconds": outcome.seconds, "agents": outcome.size.agents,
        "replicas": outcome.size.replicas,
        "counts": outcome.counts, "ends": outcome.ends, "rules": rules(outcome), "skipped": outcome.skipped,
        "rest": {"p50_s": outcome.rest[0], "p99_s": outcome.rest[1], "samples": outcome.rest[2]},
        "loop_lag": {"p99_s": outcome.loop_lag_s[0], "worst_s": outcome.loop_lag_s[1]},
        "faults": [{"name": f.name, "began": f.began, "ended": f.ended} for f in outcome.faults],
        "gaps": {name: {"lasted": rounded(gap.lasted), "alone": gap.alone, "waits": rounded(gap.waits)}
                 for name, gap in outcome.gaps.items()},
        "violations": [vars(v) for v in outcome.violations], "wrong": outcome.wrong, "again": command(outcome),
    }, indent=1, ensure_ascii=False)
