"""Carries out the schedule on a running system, and puts everything back."""

import asyncio
import subprocess
import time

from chaos.gaps import Done
from support.system import binary

REPLICAS_MIN, REPLICAS_MAX = 2, 4
DRAIN_PATIENCE_S = 20


class Storm:
    """`strike_agents(kind, choice)` ends the connections or processes of some agents. Faults may overlap; a process
    is hit by one at a time, and a fault that finds no process of its kind free is skipped."""

    def __init__(self, system, strike_agents):
        self.done = []
        self.skipped = []
        self.wrong = []  # what a process did by itself that it must never do
        self._system = system
        self._strike_agents = strike_agents
        self._busy = set()
        self._tasks = set()

    async def run(self, faults, seconds, say):
        """Returns when the time and the last fault are over."""
        began = time.monotonic()
        for fault in faults:
            await self._until(began + fault.at)
            task = asyncio.ensure_future(self._carry(fault, say))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._until(began + seconds)
        while self._tasks:
            await self._until(time.monotonic() + 0.2)

    async def _until(self, instant):
        while (left := instant - time.monotonic()) > 0:
            self.watch()
            await asyncio.sleep(min(0.5, left))

    def watch(self):
        """Nothing may end by itself, or report what no log may hold."""
        for process in self._system.processes:
            if process not in self._busy and (fault := process.fault()):
                self.wrong.append(fault)
                if not process.running:
                    process.start()

    async def _carry(self, fault, say):
        victims = self._victims(fault)
        if victims is None:
            self.skipped.append(fault)
            return
        self._busy.update(victims)
        began = time.time()
        say(f"{fault.name} {' '.join(v.name for v in victims)} {fault.lasts:.1f} s")
        try:
            await getattr(self, "_" + fault.kind.split()[0])(victims, fault)
        except AssertionError as late:
            self.wrong.append(f"{fault.name}: {late}")
            await self._revive(victims)
        finally:
            self._busy.difference_update(victims)
        self.done.append(Done(fault.name, began, time.time()))

    def _victims(self, fault):
        """The processes it is done to; None when they are not free."""
        system = self._system
        if fault.target in ("agents", "database"):
            return []
        if fault.target == "services":
            free = [p for p in system.services if p not in self._busy]
            return free if len(free) == len(system.services) else None
        if fault.target in ("nats", "postgres", "front"):
            process = system.process(fault.target)
            return None if process in self._busy else [process]
        replicas = system.replicas(fault.target)
        if fault.kind == "scale_up":
            return [] if len(replicas) < REPLICAS_MAX else None
        if fault.kind == "scale_down" and len(replicas) <= REPLICAS_MIN:
            return None
        free = [p for p in replicas if p not in self._busy]
        if fault.kind == "roll":
            return free if len(free) == len(replicas) else None
        return [free[int(fault.choice * len(free))]] if free else None

    async def _revive(self, processes):
        for process in processes:
            if not process.running:
                process.start()
            elif process.frozen:
                process.thaw()
            await process.ready()

    async def _kill(self, victims, fault):
        for victim in victims:
            victim.kill()
        await asyncio.sleep(fault.lasts)
        await self._revive(victims)

    _kill_all = _kill

    async def _freeze(self, victims, fault):
        victims[0].freeze()
        await asyncio.sleep(fault.lasts)
        victims[0].thaw()

    _long_freeze = _minutes_freeze = _freeze

    async def _drain(self, victims, fault):
        for victim in victims:
            status = await victim.terminate(DRAIN_PATIENCE_S)
            if status != 0:
                self.wrong.append(f"{victim.name} ended with status {status} on SIGTERM\n{victim.tail(10)}")
            await asyncio.sleep(fault.lasts)
            await self._revive([victim])

    _roll = _drain

    async def _cut(self, victims, fault):
        await self._link(victims[0], fault, lambda link: link.cut())

    async def _stall(self, victims, fault):
        ways = {"to_server": fault.ways != "to_process", "to_process": fault.ways != "to_server"}
        await self._link(victims[0], fault, lambda link: link.stall(**ways))

    @staticmethod
    async def _link(victim, fault, harm):
        link = victim.links[fault.kind.split()[1]]
        harm(link)
        await asyncio.sleep(fault.lasts)
        link.heal()

    async def _scale_up(self, _victims, fault):
        await self._system.add(fault.target)

    async def _scale_down(self, victims, _fault):
        status = await self._system.retire(victims[0], DRAIN_PATIENCE_S)
        if status != 0:
            self.wrong.append(f"{victims[0].name} ended with status {status} on SIGTERM\n{victims[0].tail(10)}")

    async def _new_epoch(self, _victims, _fault):
        """As after a restore: every position that anyone holds is of an epoch that is over."""
        await self._system.postgres.ready()
        environment = {**self._system.state_sync.env, "THROUGHLINE_DATABASE_URL": self._system.postgres.url}
        done = await asyncio.to_thread(subprocess.run, [binary("state-sync"), "migrate", "--new-epoch"], env=environment,
                                       capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"

    async def _agents_cut(self, _victims, fault):
        await self._strike_agents(fault.kind, fault.choice)

    _agents_crash = _agents_cut
