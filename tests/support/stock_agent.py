"""The agent's side: an editor as it is in the field, stepped by a script or, turn by turn, by a test.

What it does and does not do (FIFO, re-sends, no de-duplication, ids) is the behaviour of stock agents; nothing here
makes the server's life easier than they do.
"""

import asyncio
import collections
import json
import time
import uuid

import aiohttp

from support.agent_turn import Thread, Turn
from support.waiting import PATIENCE, Bell

FIRST_DELAY_S = 1.0
LAST_DELAY_S = 30.0
READY_FALLBACK_S = 5.0


class StockAgent:
    """Without `answer` (a coroutine function of one turn) the turns wait in `next_turn` for a test to step them.

    `time_scale` shortens the agent's own intervals (reconnect delay, readiness fallback); `throttle_s` is the least
    time between two updates of one text entry.
    """

    PROTOCOLS = ()

    def __init__(self, url, session_id, token, *, name="zed-agent", answer=None, time_scale=1.0, throttle_s=0.1,
                 load_error=None, deaf_to_cancel=False, log=None):
        self.endpoint = f"{url.rstrip('/')}/api/v1/external-agents/sync?session_id={session_id}"
        self.session_id = session_id
        self.name = name
        self.throttle_s = throttle_s
        self.load_error = load_error
        self.deaf_to_cancel = deaf_to_cancel
        self.threads = {}
        self.commands = []  # every command received, in order
        self.connections = 0
        self.connected = False
        self.closes = []
        self.refusals = []
        self.failures = []  # exceptions in the agent itself: a defect of the test
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._answer = answer
        self._scale = time_scale
        self._log = log or (lambda text: None)
        self._outgoing = collections.deque()
        self._queued = Bell()
        self._bell = Bell()
        self._turns = collections.deque()
        self._followups = asyncio.Queue()
        self._tasks = set()
        self._main = None
        self._socket = None
        self._fallback = None

    # The test's side.

    def start(self):
        self._main = [asyncio.ensure_future(self._run()), asyncio.ensure_future(self._follow())]
        for task in self._main:
            task.add_done_callback(self._done)
        return self

    async def close(self):
        await self._stop_tasks()

    async def crash(self):
        """The process dies: the socket is cut, what waited to be sent is gone, threads must be loaded again."""
        self.disconnect()
        await self._stop_tasks()
        self._outgoing.clear()
        self._followups = asyncio.Queue()
        for thread in self.threads.values():
            thread.loaded = False
            if thread.turn:
                thread.turn.abandon()

    def disconnect(self):
        """Cuts the connection without a close frame; the agent reconnects after its delay."""
        if self._socket is not None and self._socket._conn is not None and self._socket._conn.transport:
            self._socket._conn.transport.abort()

    async def until(self, condition, what, timeout=PATIENCE):
        return await self._bell.until(lambda: condition(self), lambda: f"{what}: {self._story()}", timeout)

    async def online(self, connections=1, timeout=PATIENCE):
        await self.until(lambda a: a.connected and a.connections >= connections, "agent connected", timeout)
        return self

    async def drained(self, timeout=PATIENCE):
        """Everything emitted so far has been written to the socket."""
        await self.until(lambda a: a.connected and not a._outgoing, "agent's queue written", timeout)

    async def next_turn(self, timeout=PATIENCE):
        await self.until(lambda a: a._turns, "a prompt for the agent", timeout)
        return self._turns.popleft()

    def received(self, kind):
        return [command["data"] for command in self.commands if command["type"] == kind]

    def type_in_editor(self, thread_id, text):
        """A person types in the agent's own window; a thread of that id is announced when it is new."""
        thread = self.threads.get(thread_id)
        if thread is None:
            thread = self.threads[thread_id] = Thread(thread_id)
            self.emit("user_created_thread", acp_thread_id=thread_id, title=None)
        if thread.turn:
            thread.turn._finish()
        entry = thread.add("user", content=text)
        self.emit("message_added", acp_thread_id=thread.id, message_id=str(entry.index), content=text, role="user",
                  entry_type="text", request_id=thread.last_request_id, timestamp=int(time.time()))
        thread.turn = Turn(self, thread, text, thread.last_request_id, None)
        return thread.turn

    def emit(self, event_type, **data):
        self._outgoing.append({"event_type": event_type, "data": data})
        self._queued.ring()

    # The socket.

    def _story(self):
        return (f"connections {self.connections}, closes {self.closes}, refusals {self.refusals[-3:]}, waiting to be "
                f"sent {len(self._outgoing)}, commands {[(c['type'], c['data']) for c in self.commands[-5:]]}")

    async def _run(self):
        delay = FIRST_DELAY_S
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.ws_connect(self._address(), headers=self._headers, protocols=self.PROTOCOLS,
                                               max_msg_size=0, timeout=5) as socket:
                        delay = FIRST_DELAY_S
                        await self._serve(socket)
                        self.closes.append(socket.close_code)
                        self._log(f"closed {socket.close_code}")
                except aiohttp.WSServerHandshakeError as refused:
                    self.refusals.append(refused.status)
                    self._log(f"refused {refused.status}")
                except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                    self.refusals.append(repr(error))
                    self._log(f"unreachable {error!r}")
                self._bell.ring()
                await asyncio.sleep(delay * self._scale)
                delay = min(delay * 2, LAST_DELAY_S)

    async def _serve(self, socket):
        self._socket = socket
        loop = asyncio.get_running_loop()
        await self._greet(socket)
        self._fallback = loop.call_later(READY_FALLBACK_S * self._scale, self._ready, "zed-connection", None)
        self.connections += 1
        self.connected = True
        self._log("connected")
        self._bell.ring()
        writer = asyncio.ensure_future(self._write(socket))
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._receive(json.loads(message.data))
        finally:
            self.connected = False
            self._fallback.cancel()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self._bell.ring()

    def _address(self):
        return self.endpoint

    async def _greet(self, socket):
        await socket.send_str(json.dumps({"event_type": "ping", "data": {"timestamp": int(time.time())}}))

    async def _write(self, socket):
        while True:
            await self._queued.until(lambda: self._outgoing, "an event", timeout=86400)
            event = self._outgoing.popleft()  # lost if its write fails, as a stock agent's is
            await socket.send_str(json.dumps(event))
            self._log(f"> {event['event_type']}")
            self._bell.ring()

    def _receive(self, command):
        self.commands.append(command)
        self._log(f"< {command['type']} {json.dumps(command['data'])[:300]}")
        data = command.get("data") or {}
        if command["type"] == "chat_message":
            self._chat_message(data)
        elif command["type"] == "open_thread":
            self._fallback.cancel()
            self._spawn(self._open(data))
        elif command["type"] == "cancel_current_turn":
            self._spawn(self._cancel(data.get("request_id", "")))
        self._bell.ring()

    def _ready(self, name, thread_id):
        self.emit("agent_ready", agent_name=name, thread_id=thread_id)

    # Threads and turns.

    def _chat_message(self, data):
        if data.get("role") == "user":
            return
        if not data.get("acp_thread_id"):
            self._spawn(self._new_thread(data))
            return
        if data.get("interrupt"):
            thread = self.threads.get(data["acp_thread_id"])
            if thread and thread.turn:
                self._spawn(self._cancel(thread.turn.request_id))
        self._followups.put_nowait(data)

    async def _open(self, data):
        if not self._load(data["acp_thread_id"]):
            if data.get("request_id"):
                self.emit("thread_load_error", acp_thread_id=data["acp_thread_id"], request_id=data["request_id"],
                          error=self._load_failure(data["acp_thread_id"]))
            return
        self._ready(self.name, data["acp_thread_id"])

    def _load(self, thread_id):
        thread = self.threads.get(thread_id)
        if thread is None or self.load_error:
            return False
        thread.loaded = True
        return True

    def _load_failure(self, thread_id):
        return self.load_error or f'Failed to load thread: no thread found with ID: SessionId("{thread_id}")'

    async def _new_thread(self, data):
        thread = Thread(f"thread-{uuid.uuid4()}")
        self.threads[thread.id] = thread
        self._ready(self.name, thread.id)
        self.emit("thread_created", acp_thread_id=thread.id, request_id=data["request_id"])
        await self._turn(thread, data)

    async def _follow(self):
        while True:
            data = await self._followups.get()
            thread_id = data["acp_thread_id"]
            thread = self.threads.get(thread_id)
            if thread is None or not thread.loaded:
                if not self._load(thread_id):
                    self.emit("thread_load_error", acp_thread_id=thread_id, request_id=data["request_id"],
                              error=self._load_failure(thread_id))
                    continue
                self._ready(self.name, thread_id)
                thread = self.threads[thread_id]
            await self._turn(thread, data)

    async def _turn(self, thread, data):
        thread.add("user", content=data["message"])
        thread.last_request_id = data["request_id"]
        turn = thread.turn = Turn(self, thread, data["message"], data["request_id"], data)
        if self._answer is None:
            self._turns.append(turn)
            self._bell.ring()
        else:
            turn.task = self._spawn(self._answer(turn))
        await turn.ended.wait()

    async def _cancel(self, request_id):
        turn = next((t.turn for t in self.threads.values() if t.turn and t.turn.request_id == request_id), None)
        if self.deaf_to_cancel:
            return
        if turn is None or turn.ended.is_set():
            self.emit("turn_cancelled", request_id=request_id, status="noop")
            return
        self.emit("turn_cancelled", request_id=request_id, status="cancelled")
        turn.cancelled = True
        if self._answer is not None:
            turn.task.cancel()
        turn.complete()

    def _spawn(self, work):
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task):
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self._log(f"failed: {task.exception()!r}")
            self.failures.append(repr(task.exception()))
            self._bell.ring()

    async def _stop_tasks(self):
        ending = [*(self._main or []), *self._tasks]
        self._main = None
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self.connected = False
