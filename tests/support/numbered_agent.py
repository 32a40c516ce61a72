"""The agent of the numbered wire (design 5.5): in everything else it behaves as the stock one."""

import collections
import json
import time
import uuid

from support.stock_agent import StockAgent
from support.waiting import PATIENCE


class NumberedAgent(StockAgent):
    """Numbers what it says, keeps it until it is acknowledged, says the rest again on a new socket, and takes a prompt
    that is delivered again once. `instance` names this life of its process."""

    PROTOCOLS = ("throughline.agent.v2",)

    def __init__(self, *arguments, instance=None, **options):
        super().__init__(*arguments, **options)
        self.instance = instance or str(uuid.uuid4())
        self.resumes = []  # (epoch, seq), one per socket
        self.acks = []
        self.dropped = []  # prompts that were delivered again
        self.deaf = False  # prompts get lost between the socket and the agent
        self.unheard = []
        self.last_seq = 0
        self._kept = collections.deque()  # (seq, event) without an ack
        self._next = 1  # the number to be written next
        self._resumed = False
        self._heard = set()

    async def crash(self):
        """The process dies and is started again: a new instance, that knows nothing of what the old one said."""
        await super().crash()
        self.instance = str(uuid.uuid4())
        self.last_seq, self._next = 0, 1
        self._kept.clear()
        self._heard.clear()

    def emit(self, event_type, **data):
        self.last_seq += 1
        self._kept.append((self.last_seq, {"seq": self.last_seq, "event_type": event_type, "data": data}))
        self._queued.ring()

    async def drained(self, timeout=PATIENCE):
        await self.until(lambda a: a.connected and a._next > a.last_seq, "agent's queue written", timeout)

    async def acknowledged(self, timeout=PATIENCE):
        """Everything said so far is committed."""
        await self.until(lambda a: not a._kept, "agent's frames acknowledged", timeout)

    def say_again(self, number):
        """Writes a frame that has no ack yet once more, out of turn."""
        event = next(event for seq, event in self._kept if seq == number)
        return self._socket.send_str(json.dumps(event))

    def _story(self):
        return f"{super()._story()}, instance {self.instance}, resumes {self.resumes[-3:]}, last {self.last_seq}, " \
               f"without an ack {[seq for seq, _ in list(self._kept)[:5]]}, acks {self.acks[-3:]}"

    def _address(self):
        return f"{self.endpoint}&instance={self.instance}"

    async def _greet(self, socket):
        assert socket.protocol == self.PROTOCOLS[0], f"the bridge speaks {socket.protocol}"
        self._resumed = False
        self.emit("ping", timestamp=int(time.time()))

    async def _write(self, socket):
        while True:
            await self._queued.until(lambda: self._resumed and self._next <= self.last_seq, "an event", timeout=86400)
            event = self._kept[self._next - self.last_seq - 1][1]
            self._next += 1
            await socket.send_str(json.dumps(event))
            self._log(f"> {event['seq']} {event['event_type']}")
            self._bell.ring()

    def _receive(self, command):
        kind, data = command["type"], command.get("data") or {}
        if not self._resumed:
            assert kind == "resume", f"{kind} before resume"
        if kind == "resume":
            assert not self._resumed, "a second resume"
            self.resumes.append((data["epoch"], data["seq"]))
            self._forget(data["seq"])
            self._next = self._kept[0][0] if self._kept else self.last_seq + 1
            self._resumed = True
            self._log(f"< resume {data['seq']}, goes on with {self._next}")
            self._queued.ring()
        elif kind == "ack":
            assert data["seq"] < self._next, f"ack {data['seq']} of a frame that was not written"
            self.acks.append(data["seq"])
            self._forget(data["seq"])
        elif kind == "chat_message" and self.deaf:
            self.unheard.append(data)
        elif kind == "chat_message" and data.get("redelivered") and data["request_id"] in self._heard:
            self.dropped.append(data)
            self._log(f"< chat_message {data['request_id']} again")
        else:
            if kind == "chat_message":
                self._heard.add(data["request_id"])
            super()._receive(command)
            return
        self._bell.ring()

    def _forget(self, committed):
        while self._kept and self._kept[0][0] <= committed:
            self._kept.popleft()
