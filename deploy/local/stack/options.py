"""The options of deploy/local/up, down, token and watch. Each has a twin in the environment; the option wins."""

import argparse
import os
import pathlib

from places import replica_counts

ROOT = pathlib.Path(__file__).resolve().parents[3]

PORTS = [
    # option, default, what listens there
    ("gateway-port", 8080, "the page, the HTTP API and the user sockets; with --replicas the agent sockets too"),
    ("bridge-port", 8081, "the agent sockets; not used with --replicas"),
    ("replica-port", 18080, "first of the ports of the replicas of gateway, then agent-bridge; only with --replicas"),
    ("ops-port", 9080, "operations port of the (first) gateway; the others take those that follow"),
    ("nats-port", 14222, "NATS"),
    ("postgres-port", 15432, "PostgreSQL"),
]


def twin(option):
    return "THROUGHLINE_LOCAL_" + option.upper().replace("-", "_")


def is_set(option):
    return os.environ.get(twin(option), "0") not in ("", "0", "no", "false")


def port(text):
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return number


def folder(text):
    return pathlib.Path(text).expanduser().resolve()


def with_state(parser):
    default = os.environ.get(twin("state"), str(ROOT / ".local"))
    parser.add_argument("--state", type=folder, default=default, metavar="DIR",
                        help=f"where everything is kept; survives restarts [{twin('state')}; .local]")
    return parser


def up_parser(program):
    parser = with_state(argparse.ArgumentParser(prog=program, allow_abbrev=False, description=(
        "Starts the whole system on this machine. Ctrl-C ends all of it. Settings of the services "
        "(THROUGHLINE_STALE_AFTER, ...) are taken from the environment.")))
    for option, default, what in PORTS:
        parser.add_argument(f"--{option}", type=port, default=os.environ.get(twin(option), default), metavar="N",
                            help=f"{what} [{twin(option)}; {default}]")
    parser.add_argument("--replicas", type=replica_counts, default=os.environ.get(twin("replicas")) or None,
                        metavar="SERVICE=N,...", help="several of each service, behind one address: "
                        f"gateway=2,agent-bridge=2,state-sync=3 [{twin('replicas')}]")
    parser.add_argument("--no-demo", action="store_true", default=is_set("no-demo"),
                        help=f"no demo session and no demo agent [{twin('no-demo')}=1]")
    parser.add_argument("--detach", action="store_true", default=is_set("detach"),
                        help=f"return when it runs; deploy/local/down ends it [{twin('detach')}=1]")
    parser.add_argument("--no-install", action="store_true", help="do not look for missing packages")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are (BUILD_DIR; build)")
    return parser
