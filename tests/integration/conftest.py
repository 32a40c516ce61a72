"""A running system per module, a bench per test, a deadline on everything."""

import asyncio
import inspect
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

from support.bench import Bench  # noqa: E402
from support.system import System, binary, build_folder, lifetime  # noqa: E402

DEADLINE_S = 60


def pytest_sessionstart(session):
    missing = [s for s in ("gateway", "agent-bridge", "state-sync") if not pathlib.Path(binary(s)).exists()]
    if missing and not session.config.option.collectonly:
        pytest.exit(f"not built in {build_folder()}: {', '.join(missing)} (deploy/local/build release)", returncode=2)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs `async def` tests, each on a loop of its own, and closes and checks its bench there."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    mark = pyfuncitem.get_closest_marker("patience")
    deadline = mark.args[0] if mark else DEADLINE_S

    async def run():
        bench = given.get("bench")
        try:
            await asyncio.wait_for(pyfuncitem.obj(**given), deadline)
        finally:
            if bench:
                await asyncio.wait_for(bench.close(), 30)

    asyncio.run(run())
    return True


@pytest.fixture(scope="module")
def system(request):
    """The module's system, with its SETTINGS, REPLICAS and LINKS; every service must end well at the end."""
    running = System(getattr(request.module, "REPLICAS", None), getattr(request.module, "LINKS", ()),
                     **getattr(request.module, "SETTINGS", {}))
    yield from lifetime(running)


@pytest.fixture
def bench(system):
    """A test's tools; before it everything runs and is ready, after it nothing has crashed."""
    asyncio.run(system.revive())
    yield Bench(system)
    wrong = system.faults()
    assert not wrong, "\n".join(wrong)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    running = item.funcargs.get("system") if hasattr(item, "funcargs") else None
    if report.failed and running is not None:
        for name, tail in running.tails():
            report.sections.append((f"log of {name}", tail))
