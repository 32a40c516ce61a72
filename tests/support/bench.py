"""What one test works with: people, viewers and agents on a running system, all closed and checked at its end."""

import contextlib
import itertools

import aiohttp

from support.client import Api, Unavailable, Viewer, mint
from support.hand_agent import HandAgent
from support.stock_agent import StockAgent
from support.stream import Stream
from support.view import differences
from support.viewer_v2 import ViewerV2
from support.waiting import PATIENCE, until

_numbers = itertools.count(1)


def unused(prefix):
    """A name that no other test of this run has."""
    return f"{prefix}-{next(_numbers)}"


class Bench:
    def __init__(self, system):
        self.system = system
        self._stack = contextlib.AsyncExitStack()
        self._viewers = []
        self._agents = []

    async def close(self):
        """Ends everything the test opened; raises when a viewer saw a breach of the contract."""
        await self._stack.aclose()
        failed = [f for agent in self._agents for f in agent.failures]
        assert not failed, f"the agent itself failed: {failed}"
        wrong = [v for viewer in self._viewers for v in viewer.view.violations]
        assert not wrong, "viewers saw:\n" + "\n".join(wrong[:5])

    async def closing(self, thing):
        self._stack.push_async_callback(thing.close)
        return thing

    async def api(self, user=None, token=None, gateway=None):
        token = token or (mint(user) if user else None)
        return await self.closing(Api(gateway.url if gateway else self.system.http_url, token))

    async def viewer(self, session, **options):
        """An open viewer that already holds its first full state."""
        viewer = await self.watch(session, **options)
        return await viewer.opened()

    async def viewer_v2(self, session, **options):
        return await self.viewer(session, kind=ViewerV2, **options)

    async def watch(self, session, user=None, token=None, gateway=None, kind=Viewer, **options):
        """A viewer on that replica of the gateway, or wherever its connections happen to go."""
        url = gateway.url if gateway else self.system.http_url
        viewer = kind(url, session.id, token or mint(user or session.owner), **options)
        self._viewers.append(viewer)
        return await self.closing(viewer)

    async def stream(self, session, user=None, gateway=None):
        """A client of server-sent answers that has asked nothing yet."""
        url = gateway.url if gateway else self.system.http_url
        return await self.closing(Stream(url, mint(user or session.owner)))

    async def session(self, owner=None, **body):
        owner = owner or unused("user")
        api = await self.api(owner)
        created = (await api.post("/sessions", body)).ok(201)
        return Session(self, api, owner, created)

    async def agent(self, session, start=True, bridge=None, kind=StockAgent, **options):
        """An agent, connected (to that replica of agent-bridge), with quick intervals unless told otherwise."""
        options = {"time_scale": 0.05, "throttle_s": 0, **options}
        url = bridge.url if bridge else self.system.agent_url
        agent = kind(url, session.id, await session.agent_token(), **options)
        self._agents.append(agent)
        await self.closing(agent)
        if start:
            await agent.start().online()
        return agent

    async def hand_agent(self, session, ready=True, **options):
        """An attached agent whose frames the test says one by one."""
        socket = await self._stack.enter_async_context(self.raw_agent(session, **options))
        agent = await self.closing(HandAgent(socket))
        if ready:
            await agent.ready()
        return agent

    @contextlib.asynccontextmanager
    async def raw_agent(self, session, token=None, query=None, bridge=None, **options):
        """An agent socket (to that replica of agent-bridge) without any behaviour of its own."""
        token = token or await session.agent_token()
        url = bridge.url if bridge else self.system.agent_url
        url = f"{url}/api/v1/external-agents/sync?{query or 'session_id=' + session.id}"
        async with aiohttp.ClientSession() as http:
            async with http.ws_connect(url, headers={"Authorization": f"Bearer {token}"}, max_msg_size=0,
                                       timeout=5, **options) as socket:
                yield socket


class Session:
    """One session as its owner uses it."""

    def __init__(self, bench, api, owner, created):
        self.bench = bench
        self.api = api
        self.owner = owner
        self.id = created["id"]
        self.created = created
        self._agent_token = None

    async def agent_token(self):
        if self._agent_token is None:
            self._agent_token = (await self.api.post(f"/sessions/{self.id}/agent-token", {})).ok(201)["token"]
        return self._agent_token

    async def get(self):
        return (await self.api.get(f"/sessions/{self.id}")).ok()

    async def interactions(self):
        return await self.api.interactions(self.id)

    async def post(self, content, **more):
        return await self.api.post(f"/sessions/{self.id}/messages", {"content": content, **more})

    async def prompt(self, content, **more):
        """Posts a prompt under an id of its own until it is accepted; returns the 202 body."""
        body = {"content": content, "id": unused("prompt"), **more}
        return (await self.api.insist("POST", f"/sessions/{self.id}/messages", body)).ok(202)

    async def cancel(self, **body):
        return await self.api.post(f"/sessions/{self.id}/cancel", body)

    async def ends(self, interaction_id, state, timeout=PATIENCE):
        """The interaction once it is terminal, in the state expected (None: in any)."""
        last = None

        async def terminal():
            nonlocal last
            last = (await self.api.get(f"/sessions/{self.id}/interactions/{interaction_id}"))
            return last.status == 200 and last.body["state"] != "waiting"
        try:
            await until(terminal, lambda: f"{interaction_id} ends: {last}", timeout, every=0.05)
        except AssertionError as late:
            raise AssertionError(f"{late}\nin {(await self.api.get(f'/sessions/{self.id}')).raw[:4000]!r}") from late
        assert state in (None, last.body["state"]), last.body
        return last.body

    async def same(self, *viewers, timeout=PATIENCE):
        """Every viewer shows exactly what GET returns (at rest), and all saw the same events."""
        found = []

        async def agree():
            try:
                stored = await self.interactions()
                found[:] = [d for viewer in viewers for d in differences(viewer.view, stored)]
            except Unavailable as refused:
                found[:] = [str(refused)]
            return not found
        await until(agree, lambda: "viewers show what GET returns:\n" + "\n".join(found), timeout, every=0.1)
        for one, other in itertools.combinations(viewers, 2):
            for position in one.view.events.keys() & other.view.events.keys():
                assert one.view.events[position] == other.view.events[position], f"two events at {position}"

    async def at_rest(self, viewer):
        """The viewer has seen every event committed so far."""
        async def level():
            read = await self.get()
            return viewer.view.position == (read["epoch"], read["seq"])
        await until(level, lambda: f"{viewer.view.position} is the head")


async def refusal(http_url, headers=None):
    """The answer to an upgrade that is expected to be refused."""
    async with aiohttp.ClientSession() as http:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **(headers or {})}
        async with http.get(http_url, headers=upgrade, timeout=aiohttp.ClientTimeout(total=15)) as reply:
            return reply.status, reply.headers, b"" if reply.status == 101 else await reply.read()


