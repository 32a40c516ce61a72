"""Runs the tests of this folder and ends with the line that tells how many passed and failed."""

import pathlib
import sys

import pytest


class Counter:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def pytest_runtest_logreport(self, report):
        if report.failed or report.skipped:
            self.failed += 1
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report):
        self.failed += report.failed


def main():
    counter = Counter()
    here = str(pathlib.Path(__file__).resolve().parent)
    pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", here, *(sys.argv[1:] or [here])], plugins=[counter])
    print(f"{counter.passed} passed, {counter.failed} failed")
    return 0 if counter.failed == 0 and counter.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
