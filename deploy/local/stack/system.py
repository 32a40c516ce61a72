"""The system that `up` starts: its folders, its processes with their settings, and what is told when it runs."""

import os
import pathlib
import socket
import subprocess
import urllib.error
import urllib.request

from demo import demo_agent, demo_session
from identity import jwt_secret, user_token
from front import front
from options import ROOT
from places import SERVICES, listeners, places
from postgres import Postgres
from process import Child

DEMO_USER = "demo"
TOKEN_DAYS = 30
DECIDED_HERE = ("DATABASE_URL", "JWT_HS256_SECRET", "JWT_JWKS_URL", "LISTEN", "OPS_LISTEN", "NATS_URL", "NATS_CREDS")


class Folders:
    def __init__(self, state):
        self.state = state
        self.log = state / "log"
        self.run = state / "run"

    def create(self):
        for folder in (self.state, self.log, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        for log in self.log.glob("*.log"):
            if log.name != "up.log":
                log.replace(log.with_suffix(".log.before"))


def ports_in_use(options):
    """One line for each port that somebody else holds."""
    lines = []
    for port, who, option in listeners(options):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                why = getattr(error, "strerror", None) or error
                lines.append(f"port {port} ({who}): {why}; choose another with --{option}")
    return lines


def settings_of(place, options, database_url, secret):
    """The environment of one process: the caller's, but for the settings that `up` decides."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("THROUGHLINE_LOCAL_")}
    base.setdefault("THROUGHLINE_LOG_FORMAT", "text")
    base.setdefault("THROUGHLINE_DRAIN_TIMEOUT", "5s")
    for name in DECIDED_HERE:
        base.pop(f"THROUGHLINE_{name}", None)
    base["THROUGHLINE_NATS_URL"] = f"nats://127.0.0.1:{options.nats_port}"
    base["THROUGHLINE_OPS_LISTEN"] = f"127.0.0.1:{place.ops_port}"
    if place.port is not None:
        base["THROUGHLINE_LISTEN"] = f"127.0.0.1:{place.port}"
    if place.service == "gateway":
        base["THROUGHLINE_JWT_HS256_SECRET"] = secret
    if place.service == "state-sync":
        base["THROUGHLINE_DATABASE_URL"] = database_url
    return base


def binary(service):
    path = pathlib.Path(ROOT, os.environ.get("BUILD_DIR", "build"), "services", service, service)
    if not path.exists():
        raise RuntimeError(f"{path} is not there: build first (deploy/local/build)")
    return path


def is_ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as reply:
            return reply.status == 200
    except (OSError, urllib.error.URLError):
        return False


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start_system(options, folders, supervisor, say):
    """Brings everything up in the order in which the parts need each other. Returns what `announcement` tells."""
    programs = {service: binary(service) for service in SERVICES}
    postgres = Postgres(options, folders, say)
    if postgres.create():
        say("A new database was made")
    say("Starting PostgreSQL and NATS")
    supervisor.start(postgres.child)
    nats = Child("nats", ["nats-server", "-a", "127.0.0.1", "-p", options.nats_port], folders)
    supervisor.start(nats)
    supervisor.wait_until("PostgreSQL", postgres.is_ready)
    postgres.create_database()
    supervisor.wait_until("NATS", lambda: answers(options.nats_port))

    secret = jwt_secret(folders.state)
    settings = {place: settings_of(place, options, postgres.url, secret) for place in places(options)}
    migrate(programs["state-sync"], next(env for place, env in settings.items() if place.service == "state-sync"))
    say("Starting state-sync, agent-bridge and gateway")
    for place in reversed(settings):
        supervisor.start(Child(place.name, [programs[place.service]], folders, env=settings[place]))
    for place in settings:
        supervisor.wait_until(f"{place.name} is ready", lambda port=place.ops_port: is_ready(port))
    if options.replicas is not None:
        supervisor.start(front(options, folders))
        supervisor.wait_until("the front", lambda: answers(options.gateway_port))

    gateway_port_file(folders.state).write_text(f"{options.gateway_port}\n")
    token = user_token(secret, DEMO_USER, TOKEN_DAYS)
    session = None
    if not options.no_demo:
        session, agent_token = demo_session(options, folders, token)
        supervisor.start(demo_agent(options, folders, session, agent_token))
    return token, session


def gateway_port_file(state):
    """Where `watch` finds the port that `up` was given."""
    return state / "run" / "gateway.port"


def migrate(program, environment):
    done = subprocess.run([program, "migrate"], env=environment, capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"state-sync migrate ended with status {done.returncode}\n{done.stdout}{done.stderr}")


def announcement(options, folders, token, session):
    """What a person needs to begin."""
    here = "deploy/local"
    state = "" if folders.state == ROOT / ".local" else f" --state {folders.state}"
    address = f"http://127.0.0.1:{options.gateway_port}"
    api = f"{address}/api/v1/sessions"
    mine = session or "SESSION"
    link = f"{address}/#token={token}" + (f"&session={session}" if session else "")
    victim = next(place.name for place in places(options) if place.service == "state-sync")
    end = f"{here}/down{state} ends it" if options.detach else "Ctrl-C ends it"
    return f"""
Throughline is running; {end}.

  Page    {address}/
  Signed in at once:
  {link}

  Token of the user '{DEMO_USER}', good for {TOKEN_DAYS} days ({here}/token{state} NAME makes one for somebody else):
  {token}

Or from a terminal; paste these three lines:

  TOKEN=$({here}/token{state} {DEMO_USER}); {here}/watch{state} {mine} &
  curl -s -H "Authorization: Bearer $TOKEN" {api} --json '{{"name":"Another session"}}'; echo
  curl -s -H "Authorization: Bearer $TOKEN" {api}/{mine}/messages --json '{{"content":"Tell me a long story"}}'; echo

Then kill any of its processes, and watch the answer go on:  kill -9 $(cat {folders.run}/{victim}.pid)
Logs are in {folders.log}
"""
