"""Builds and runs the suites and counts their tests; `tests/run` is its entrance."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Suites of executables that Meson declares below tests/<suite>/, of pytest files, and of a program of their own.
EXECUTABLES = ("unit", "scenarios", "fuzz", "simulation")
PYTEST = ("tidy", "integration")
PROGRAMS = ("chaos", "browser", "deploy", "model")
SUITES = ("unit", "scenarios", "fuzz", "simulation", "tidy", "integration", "chaos", "browser", "deploy", "model")
NEED_NO_BUILD = {"tidy", "model", "deploy"}
# What waits for servers and sockets most of its time goes beside its like.
AT_ONCE = 2 * (os.cpu_count() or 1)
SERVICES = [f"services/{s}/{s}" for s in ("gateway", "agent-bridge", "state-sync")]
# What doctest prints at its end, and what every other runner here ends with.
DOCTEST = re.compile(r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


class Tally:
    def __init__(self):
        self.rows = []

    def add(self, name, passed, failed, seconds):
        self.rows.append((name, passed, failed))
        print(f"--- {name}: {passed} passed, {failed} failed ({seconds:.1f} s)\n", end="", flush=True)

    def total(self):
        return sum(r[1] for r in self.rows), sum(r[2] for r in self.rows)


def options():
    parser = argparse.ArgumentParser(prog="tests/run", description="Builds and runs the test suites.")
    parser.add_argument("--suite", nargs="+", action="extend", choices=SUITES, metavar="SUITE",
                        help=f"only these: {' '.join(SUITES)}")
    parser.add_argument("-k", metavar="NAME", help="only tests whose name contains NAME (pytest: its -k expression)")
    parser.add_argument("--build-dir", default="build", help="release folder; the sanitizer build is beside it, -debug")
    parser.add_argument("--slow", action="store_true", help="also the integration tests that take long")
    parser.add_argument("--no-debug", action="store_true", help="without the sanitizer build")
    parser.add_argument("--no-build", action="store_true", help="run what is built already")
    parser.add_argument("--no-install", action="store_true", help="do not look for missing packages")
    return parser.parse_args()


def build(kind, folder, targets=()):
    """Whether it succeeded; its output is the user's progress."""
    print(f"--- building {folder} ({kind})", flush=True)
    done = subprocess.run(["deploy/local/build", kind, *targets], cwd=ROOT, env={**os.environ, "BUILD_DIR": folder})
    return done.returncode == 0


class BuildBeside:
    """The sanitizer build, at low priority beside the suites that mostly wait for sockets and servers."""

    def __init__(self, folder, targets):
        self.log = tempfile.TemporaryFile("w+")
        print(f"--- building {folder} (debug) in the background", flush=True)
        self.child = subprocess.Popen(["nice", "-n", "19", "deploy/local/build", "debug", *targets], cwd=ROOT, stdout=self.log,
                                      stderr=subprocess.STDOUT, env={**os.environ, "BUILD_DIR": folder})

    def succeeded(self):
        status = self.child.wait()
        if status != 0:
            self.log.seek(0)
            print(self.log.read(), flush=True)
        return status == 0


def run_and_show(command, env=None):
    """Runs a program with its output shown as it comes; returns (exit status, output)."""
    try:
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace")
    except OSError as error:
        print(error, flush=True)
        return 127, ""
    lines = []
    for line in child.stdout:
        lines.append(line)
        print(line, end="", flush=True)
    return child.wait(), "".join(lines)


def counted(status, output, pattern):
    """Counts from a runner's own summary; a bad end that the summary does not show is one failure more."""
    found = pattern.findall(output)
    if not found:
        return (1, 0) if status == 0 else (0, 1)
    passed, failed = map(int, found[-1])
    return passed, failed or (0 if status == 0 else 1)


def declared_tests(folder):
    """{suite: [(name, command, environment)]} from Meson, by the folder below tests/ that an executable is in."""
    listed = subprocess.run(["meson", "introspect", "--tests", folder], cwd=ROOT, capture_output=True, text=True)
    found = {suite: [] for suite in EXECUTABLES}
    for test in json.loads(listed.stdout) if listed.returncode == 0 else []:
        path = os.path.relpath(test["cmd"][0], ROOT / folder)
        parts = pathlib.PurePath(path).parts
        if parts[0] == "tests" and parts[1] in found:
            found[parts[1]].append((test["name"], test["cmd"], test.get("env", {})))
    return found


def narrowed(suite, test, command, name):
    """The command for only what contains `name` (doctest cases, story files, the test), or None where nothing does."""
    if not name:
        return command
    if suite == "unit":
        return [*command, f"--test-case=*{name}*"]
    stories = [a for a in command if a.endswith(".txt")]
    kept = [a for a in stories if name in os.path.basename(a)]
    if stories:
        return [a for a in command if a not in stories or a in kept] if kept else None
    return command if name in test else None


def captured(command, env):
    try:
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def run_executables(tally, label, suite, tests, name):
    """Some at a time; what each says is shown whole, in the order in which they are declared."""
    started, passed, failed = time.monotonic(), 0, 0
    chosen = [(test, narrowed(suite, test, command, name), env) for test, command, env in tests]
    chosen = [(test, command, env) for test, command, env in chosen if command is not None]
    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        results = pool.map(lambda one: captured(one[1], one[2]), chosen)
        for (test, _, _), (status, output) in zip(chosen, results):
            print(output, end="", flush=True)
            more = counted(status, output, DOCTEST if "[doctest]" in output else COUNTS)
            if more[1]:
                print(f"--- {test} failed (exit status {status})", flush=True)
            passed, failed = passed + more[0], failed + more[1]
    tally.add(label, passed, failed, time.monotonic() - started)


def run_pytest(tally, suite, folder, name, slow):
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        report = pathlib.Path(temporary) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"tests/{suite}", "-v", f"--junitxml={report}"]
        if suite == "integration":  # each module has a system of its own
            command += ["-n", str(AT_ONCE), "--dist", "loadfile", *([] if slow else ["-m", "not slow"])]
        status, _ = run_and_show(command + (["-k", name] if name else []), {"THROUGHLINE_BUILD": folder})
        passed, failed = 0, 0
        if report.exists():
            totals = xml.etree.ElementTree.parse(report).getroot().find("testsuite").attrib
            failed = int(totals["failures"]) + int(totals["errors"])
            passed = int(totals["tests"]) - failed - int(totals["skipped"])
    nothing_selected = status == 5 and name
    if status != 0 and not failed and not nothing_selected:
        failed = 1
    tally.add(suite, max(passed, 0), failed, time.monotonic() - started)


def run_programs(tally, suites, folder, name):
    """Beside one another, the longest first; what each says is shown whole when it has ended."""
    def run(suite):
        started = time.monotonic()
        command = [str(ROOT / "tests" / suite / "run"), *(["-k", name] if name else [])]
        return suite, *captured(command, {"THROUGHLINE_BUILD": folder}), time.monotonic() - started

    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, suite) for suite in suites]):
            suite, status, output, seconds = done.result()
            print(output, end="", flush=True)
            tally.add(suite, *counted(status, output, COUNTS), seconds)


def main():
    chosen = options()
    suites = [s for s in SUITES if s in (chosen.suite or SUITES)]
    release, debug = chosen.build_dir, f"{chosen.build_dir}-debug"
    executables = [s for s in suites if s in EXECUTABLES]
    tally = Tally()
    built = True
    if not chosen.no_build and set(suites) - NEED_NO_BUILD:
        built = build("release", release, [] if executables else SERVICES)
        if not built:
            tally.add("build", 0, 1, 0)
    tests = declared_tests(release) if executables and built else {}
    sanitized = built and executables and not chosen.no_debug
    beside = BuildBeside(debug, sanitizer_targets(tests, release)) if sanitized and not chosen.no_build else None
    for suite in suites:
        if suite in EXECUTABLES and built and tests[suite]:
            run_executables(tally, suite, suite, tests[suite], chosen.k)
        elif suite in PYTEST and (built or suite in NEED_NO_BUILD):
            run_pytest(tally, suite, release, chosen.k, chosen.slow)
    programs = [s for s in PROGRAMS if s in suites and (built or s in NEED_NO_BUILD)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:  # beside the programs, which wait a lot as well
        running = pool.submit(run_programs, tally, programs, release, chosen.k)
        if beside and not beside.succeeded():
            tally.add("sanitizer build", 0, 1, 0)
        elif sanitized:
            # The arguments are the sanitizer build's own: what is slow there is shorter there.
            declared = declared_tests(debug)
            for suite in executables:
                if declared[suite]:
                    run_executables(tally, f"{suite} under sanitizers", suite, declared[suite], chosen.k)
        running.result()
    passed, failed = tally.total()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


def sanitizer_targets(tests, release):
    return sorted({os.path.relpath(command[0], ROOT / release) for of_suite in tests.values() for _, command, _ in of_suite})


if __name__ == "__main__":
    sys.exit(main())
