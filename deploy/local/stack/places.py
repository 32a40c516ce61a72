"""Where each process listens: one of each service on the public ports, or numbered replicas behind the front."""

import argparse
import dataclasses

SERVICES = ("gateway", "agent-bridge", "state-sync")
REPLICAS_MAX = 16


@dataclasses.dataclass(frozen=True)
class Place:
    """`name` is that of the pid file and the log. `port` is the public port; state-sync has none."""
    service: str
    name: str
    port: int | None
    ops_port: int


def replica_counts(text):
    """{service: count} of `gateway=2,state-sync=3`; a service that is not named has one."""
    counts = dict.fromkeys(SERVICES, 1)
    for part in text.split(","):
        service, _, count = part.strip().partition("=")
        if service not in counts:
            raise argparse.ArgumentTypeError(f"{service!r} is none of {', '.join(SERVICES)}")
        if not count.isdigit() or not 1 <= int(count) <= REPLICAS_MAX:
            raise argparse.ArgumentTypeError(f"{part!r}: a number from 1 to {REPLICAS_MAX}")
        counts[service] = int(count)
    return counts


def places(options):
    """Every service process, gateways first. Replicas take the ports from --replica-port and --ops-port on."""
    if options.replicas is None:
        public = {"gateway": options.gateway_port, "agent-bridge": options.bridge_port, "state-sync": None}
        return [Place(service, service, public[service], options.ops_port + n) for n, service in enumerate(SERVICES)]
    found, next_port = [], options.replica_port
    for service in SERVICES:
        for number in range(1, options.replicas[service] + 1):
            port = None
            if service != "state-sync":
                port, next_port = next_port, next_port + 1
            found.append(Place(service, f"{service}-{number}", port, options.ops_port + len(found)))
    return found


def agent_port(options):
    """Where agents connect: to the front, if there is one."""
    return options.bridge_port if options.replicas is None else options.gateway_port


def listeners(options):
    """Every port that will be listened on, with who listens and the option that moves it."""
    found = []
    if options.replicas is not None:
        found.append((options.gateway_port, "front", "gateway-port"))
    for place in places(options):
        own = "replica-port" if options.replicas else {"gateway": "gateway-port"}.get(place.service, "bridge-port")
        if place.port is not None:
            found.append((place.port, place.name, own))
        found.append((place.ops_port, f"{place.name}'s operations port", "ops-port"))
    return [*found, (options.nats_port, "NATS", "nats-port"), (options.postgres_port, "PostgreSQL", "postgres-port")]
