"""The load: sessions with an agent, a person and viewers each, at a steady and modest rate."""

import asyncio
import dataclasses
import itertools
import random
import time

import aiohttp

from chaos.history import Prompt, Sent, SentTurn, SessionHistory, Viewing, Followed
from chaos.reading import read_stored
from chaos.views import Ledger
from chaos.watchers import BROKEN, RETRY, BackOff, Follower, Watcher
from support.client import mint
from support.numbered_agent import NumberedAgent
from support.stock_agent import StockAgent
from support.view import TERMINAL


@dataclasses.dataclass(frozen=True)
class Pace:
    """Seconds between an agent's words, and between a person's prompts; how many words an answer has."""
    word_s: tuple = (0.3, 1.2)
    pause_s: tuple = (0.2, 1.5)
    words: tuple = (4, 12)
    life_s: tuple = (20.0, 90.0)  # of a viewer that comes and goes
    typed: float = 0.15  # share of bursts after which a person types in the editor (numbered agents)
    turn_end_s: float = 150.0  # above every bound of design 7 with the settings of a run


class Doors:
    """Where clients connect: the front, one address for every replica."""

    def __init__(self, system):
        self._system = system

    def gateway(self):
        return self._system.http_url

    def bridge(self):
        return self._system.agent_url


class Recorder:
    """Mixed into an agent: notes what it says and when its connection ends, and goes through its session's doors."""

    def __init__(self, doors, session, token, **options):
        self.cuts, self.crashes = [], []
        self.versions = {}
        self._doors = doors
        self._online = False
        super().__init__("ws://anywhere", session.id, token, **options)

    @property
    def endpoint(self):
        return self._doors.bridge() + self._path

    @endpoint.setter
    def endpoint(self, url):
        self._path = url.removeprefix("ws://anywhere")

    @property
    def connected(self):
        return self._online

    @connected.setter
    def connected(self, online):
        if self._online and not online:
            self.cuts.append((time.time(), float("inf")))
        elif online and self.cuts:
            self.cuts[-1] = (self.cuts[-1][0], time.time())
        self._online = online

    async def crash(self):
        self.crashes.append(time.time())
        await super().crash()

    def emit(self, event_type, **data):
        if event_type == "message_added" and data["role"] == "assistant":
            self.versions.setdefault(data["message_id"], set()).add(data["content"])
        return super().emit(event_type, **data)


    def defects(self):
        """What went wrong in the agent itself, not in what it saw."""
        ended = [task.exception() for task in self._main or () if task.done() and not task.cancelled()]
        return [*self.failures, *(repr(e) for e in ended if e)]


class RecordedStockAgent(Recorder, StockAgent):
    numbered = False
    unacknowledged = 0
    broken_promises = ()


class RecordedNumberedAgent(Recorder, NumberedAgent):
    """Holds the bridge to what it has acknowledged: that never goes back."""
    numbered = True

    def __init__(self, *arguments, **options):
        self.broken_promises = []
        self._promised = 0
        super().__init__(*arguments, **options)

    @property
    def unacknowledged(self):
        return len(self._kept)

    async def crash(self):
        await super().crash()
        self._promised = 0  # a new instance begins anew

    def _receive(self, command):
        if command["type"] in ("resume", "ack"):
            seq = command["data"]["seq"]
            if seq < self._promised:
                self.broken_promises.append(f"{command['type']} {seq}, {self._promised} had been acknowledged")
            self._promised = max(self._promised, seq)
        super()._receive(command)


class Http:
    """Calls as one client makes them: repeated under their id until they are decided, or for `patience_s`: then the
    status is that of the last answer, 0 for none."""

    def __init__(self, session, doors, rng, patience_s=150.0):
        self._session, self._doors, self._rng, self._patience_s = session, doors, rng, patience_s

    async def call(self, method, path, token, body=None, key=None, timeout=25.0):
        """(status, JSON or bytes)"""
        headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
        timeout = aiohttp.ClientTimeout(total=min(timeout, self._patience_s))
        back_off, deadline, last = BackOff(self._rng), time.monotonic() + self._patience_s, (0, "no answer")
        while time.monotonic() < deadline:
            try:
                async with self._session.request(method, f"{self._doors.gateway()}/api/v1{path}", json=body,
                                                headers=headers, timeout=timeout) as reply:
                    is_json = reply.content_type == "application/json"
                    last = reply.status, await reply.json() if is_json else await reply.read()
                    if reply.status not in RETRY:
                        return last
            except BROKEN:
                pass
            await back_off.wait()
        return last


class Session:
    """One session's life in the load. `rng` decides everything about it that is not decided by the system."""

    def __init__(self, load, number, agent_class):
        self.number = number
        self.rng = random.Random(f"{load.seed} session {number}")
        self.owner = f"chaos-{number}"
        self.token = mint(self.owner, ttl=86400)
        self.ledger = Ledger()
        self.said, self._said_in = [], {}
        self.prompts, self.turns, self.faults = [], [], []
        self.watchers, self.followers = [], []
        self.id = self.agent = None
        self.doors = load.doors
        self.on_open = self.before_reading = lambda: None  # where a plant does its work
        self._load, self._pace = load, load.pace
        self.agent_class = agent_class

    async def open(self):
        self._http = Http(self._load.connections, self.doors, self.rng)
        status, body = await self._http.call("POST", "/sessions", self.token, {"name": f"chaos {self.number}"},
                                             key=f"create-{self.number}")
        assert status == 201, body
        self.id = body["id"]
        status, body = await self._http.call("POST", f"/sessions/{self.id}/agent-token", self.token, {})
        assert status == 201, body
        self.agent = self.agent_class(self.doors, self, body["token"], answer=self._answer, throttle_s=0,
                                       time_scale=self.rng.uniform(0.2, 0.5)).start()
        guest = f"guest-{self.number}"
        path = f"/sessions/{self.id}/grants/{guest}"
        status, body = await self._http.call("PUT", path, self.token, {"role": "viewer"})
        assert status == 200, body
        self.on_open()
        self._watch("v2", self.token, True, None)
        kind = self.rng.choice(("v1", "v2", "v1 that comes and goes", "v2 that comes and goes"))
        self._watch(kind, mint(guest, ttl=86400), kind.startswith("v2"),
                    self._pace.life_s if "comes" in kind else None)

    def _watch(self, kind, token, numbered, life_s):
        name = f"{kind} {len(self.watchers)} of {self.number}"
        self.watchers.append(Watcher(self._load.connections, self.doors, self, name, token, numbered, self.rng, life_s))

    def said_in(self, interaction_id):
        return self._said_in.setdefault(interaction_id, [])

    async def close(self):
        await asyncio.gather(self.agent.close(), *(v.close() for v in [*self.watchers, *self.followers]))

    # The agent's side.

    async def crash_agent(self):
        """Its process dies and is started again: what it was saying, and had not handed over, is gone."""
        running = [sent for sent in self.turns if sent["ended"] == "open"]
        await self.agent.crash()
        for sent in running:
            sent["ended"] = "crashed"
        self.agent.start()

    def _record(self, turn, typed=False):
        self.turns.append({"turn": turn, "began": time.time(), "error": "", "ended": "open", "typed": typed})
        return self.turns[-1]

    async def _talk(self, turn):
        for number in range(self.rng.randint(*self._pace.words)):
            await asyncio.sleep(self.rng.uniform(*self._pace.word_s))
            self._say(turn, number)

    async def _answer(self, turn):
        sent, rng = self._record(turn), self.rng
        try:
            await self._talk(turn)
            if rng.random() < 0.04:
                sent["error"], sent["ended"] = f"it went wrong in {turn.request_id}", "error"
                turn.fail(sent["error"])
            else:
                sent["ended"] = "complete"
                turn.complete()
        except asyncio.CancelledError:
            sent["ended"] = "cancelled"
            raise

    def _say(self, turn, number):
        what = self.rng.random()
        word = f"{turn.request_id[-4:]}.{number} "
        if what < 0.1:
            turn.tool(f"tool-{number}", "In Progress", f"**Tool {word}**")
            turn.tool(f"tool-{number}", "Completed", f"**Tool {word}**\nand what came of it 🧰")
        elif what < 0.2:
            turn.text(f"Ünd {word}📤 ", new=True)
        else:
            turn.text(word)
        if turn.data is None:
            return  # typed: the agent does not know its interaction
        now, length = time.time(), sum(len(entry.content) for entry in turn.entries)
        self.said.append((now, turn.request_id, length))
        self.said_in(turn.request_id).append((now, turn.request_id, length))

    # The person's side.

    async def live(self, stopping):
        """Prompts, and now and then a cancel, until told to stop; returns when everything asked is decided."""
        while not stopping.is_set():
            posted = []
            for number in range(self.rng.choice((1, 1, 1, 2, 3))):
                posted.append(await self._post(number > 0 and self.rng.random() < 0.2))
                await asyncio.sleep(self.rng.uniform(0.0, 0.3))
            if self.rng.random() < 0.1:
                await asyncio.sleep(self.rng.uniform(0.0, 3.0))
                await self._cancel(self.rng.choice(posted))
            await self._ended(posted)
            if self.agent.numbered and self.rng.random() < self._pace.typed:
                await self._type()
            await asyncio.sleep(self.rng.uniform(*self._pace.pause_s))

    async def _post(self, interrupt):
        order = len(self.prompts)
        prompt = Prompt(f"p-{self.number}-{order}", f"Prompt {order} of {self.number}", order, interrupt)
        self.prompts.append(prompt)
        answer = await (self._post_on_socket(prompt) if self.rng.random() < 0.3 else self._post_by_http(prompt))
        if answer is None:
            return prompt
        prompt.interaction_id = answer["interaction_id"]
        prompt.position = tuple(map(int, answer["position"].split(":")))
        if answer["prompt_id"] != prompt.id:
            self.faults.append(f"prompt {prompt.id} was answered as {answer['prompt_id']}")
        if self.rng.random() < self._load.streams:
            self.followers.append(Follower(self._load.connections, self.doors, self, prompt.interaction_id, self.token,
                                           self.rng))
        return prompt

    async def _post_by_http(self, prompt):
        body = {"content": prompt.content, "id": prompt.id, "interrupt": prompt.interrupt}
        status, answer = await self._http.call("POST", f"/sessions/{self.id}/messages", self.token, body)
        if status == 202:
            return answer
        self.faults.append(f"prompt {prompt.id} was answered {status}: {answer}")
        return None

    async def _post_on_socket(self, prompt):
        frame = {"type": "prompt", "id": prompt.id, "content": prompt.content, "interrupt": prompt.interrupt}
        while True:
            answer = await self.watchers[0].ask(frame)
            if answer and answer["type"] == "ack":
                return answer
            if answer and answer["code"] not in ("not_accepted", "outcome_unknown", "busy", "shutting_down"):
                self.faults.append(f"prompt {prompt.id} was answered {answer}")
                return None
            await asyncio.sleep(self.rng.uniform(0.1, 0.5))

    async def _cancel(self, prompt):
        if prompt.interaction_id is None:
            return
        status, answer = await self._http.call("POST", f"/sessions/{self.id}/cancel", self.token,
                                               {"interaction_id": prompt.interaction_id}, key=f"cancel-{prompt.id}")
        if status != 200 or answer.get("status") not in ("cancelled", "noop"):
            self.faults.append(f"the cancel of {prompt.id} was answered {status}: {answer}")
            return
        prompt.cancel = answer["status"]

    async def _type(self):
        """A person types in the agent's own window while nothing else goes on; the agent answers there too."""
        agent, crashes = self.agent, len(self.agent.crashes)
        thread = next(iter(agent.threads.values()), None)
        if thread is None or thread.turn is not None:
            return
        text = f"Typed {len(self.turns)} of {self.number}"
        turn = agent.type_in_editor(thread.id, text)
        sent = self._record(turn, typed=True)
        await self._talk(turn)
        if len(agent.crashes) == crashes:
            sent["ended"] = "complete"
            turn.complete()
        deadline = time.monotonic() + self._pace.turn_end_s
        while not self._shown_typed(text) and len(agent.crashes) == crashes:
            if time.monotonic() > deadline:
                self.faults.append(f"no viewer saw an end of what was typed, {text!r}, in {self._pace.turn_end_s} s")
                return
            await asyncio.sleep(self.rng.uniform(0.1, 0.3))

    def _shown_typed(self, text):
        return any(i["prompt_message"] == text and i["state"] in TERMINAL
                   for i in self.watchers[0].view.interactions.values())

    async def _ended(self, posted):
        deadline = time.monotonic() + self._pace.turn_end_s
        while waiting := [p for p in posted if p.cancel != "cancelled" and not self._shown_ended(p)]:
            if time.monotonic() > deadline:
                self.faults.append(f"no viewer saw an end of {[p.id for p in waiting]} in {self._pace.turn_end_s} s")
                return
            await asyncio.sleep(self.rng.uniform(0.1, 0.3))

    def _shown_ended(self, prompt):
        return prompt.interaction_id is None or any(w.view.state(prompt.interaction_id) in TERMINAL
                                                    for w in self.watchers)

    # The end.

    async def history(self):
        self.before_reading()
        stored = await read_stored(self._load.http, self.id, self.token)
        return SessionHistory(
            id=self.id, prompts=self.prompts, sent=self._sent(),
            viewers=[Viewing(w.name, "v2" if w.numbered else "v1", w.view, [*w.view.violations, *w.faults])
                     for w in self.watchers],
            followed=[Followed(f.interaction_id, f.view.entries, f.view.outcome if f.done else None,
                               [*f.view.violations, *f.faults]) for f in self.followers],
            stored=stored, seen=self.ledger.digests, faults=self.faults)

    def _sent(self):
        agent = self.agent
        turns = []
        for sent in self.turns:
            turn = sent["turn"]
            # The next thing that a person said ends it.
            of_turn = itertools.takewhile(lambda e: e.kind != "user", turn.thread.entries[turn.first:])
            entries = [(e.kind, str(e.index), e.content, e.tool_name, e.tool_status) for e in of_turn if e.content]
            turns.append(SentTurn(turn.request_id, turn.prompt, entries, sent["ended"], sent["error"], sent["typed"],
                                  sent["began"]))
        delivered = [(c["data"]["request_id"], c["data"]["message"], bool(c["data"].get("redelivered")))
                     for c in agent.commands if c["type"] == "chat_message"]
        emitted = agent.last_seq if agent.numbered else 0
        return Sent(agent.numbered, turns, agent.versions, delivered, agent.cuts, agent.crashes,
                    list(agent.broken_promises), emitted, emitted - agent.unacknowledged)

    def samples(self):
        """What each viewer waited for."""
        return [v.lag.samples for v in [*self.watchers, *self.followers]]
