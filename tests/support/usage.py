"""What a process has used, as the kernel counts it."""

import os


def cpu_seconds(process):
    """Processor time of all threads that live, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/schedstat") as stat:
            total += int(stat.read().split()[0])
    return total / 1e9


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def metric(process, name):
    """The value of a counter or gauge without labels; all of its labels added up."""
    status, text = await process.ops("/metrics")
    assert status == 200, text
    found = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
             if line.split("{")[0].split(" ")[0] == name]
    assert found, f"no metric {name}"
    return sum(found)
