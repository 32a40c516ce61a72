"""The other client of the user socket: v2, which says where it stopped and is told every event after that once."""

import itertools
import json

from support.client import Viewer
from support.view import View
from support.waiting import PATIENCE

PLACE = {"type", "session_id", "epoch", "seq"}
_ids = itertools.count(1)


class ViewV2(View):
    """The fold of v2 frames: seq contiguous on every socket, nothing twice, a jump only by a full state."""

    def __init__(self, session_id):
        super().__init__(session_id)
        self.heartbeats = []
        self.replays = 0
        self.fulls = 0
        self.answers = []  # acks and errors
        self.hints = []  # of when to come back
        self._replaying = False

    def connected(self, resumed=False):
        super().connected()
        self._first = not resumed
        self._replaying = resumed

    def take(self, frame):
        kind = frame.get("type")
        if kind in ("ack", "error"):
            self.answers.append(frame)
        elif kind == "reconnect":
            self.hints.append(frame)
            self._expect(set(frame) == {"type", "after_ms"} and frame["after_ms"] >= 0, "a hint of its shape", frame)
        elif kind in ("heartbeat", "replay_complete"):
            self._place(kind, frame)
        else:
            super().take(frame)

    def _place(self, kind, frame):
        self._expect(set(frame) == PLACE and frame["session_id"] == self.session_id, "exactly its fields", frame)
        self._expect(self.position == (frame["epoch"], frame["seq"]), f"the position {self.position}", frame)
        if kind == "heartbeat":
            self.heartbeats.append(self.position)
        else:
            self._expect(self._replaying, "a replay that it completes", frame)
            self._replaying = False
            self.replays += 1

    def _expect(self, holds, what, frame):
        if not holds:
            self.violations.append(f"expected {what}: {frame}")

    def _full(self, frame, position):
        faults = super()._full(frame, position)
        self._baseline_due = None
        self._replaying = False
        self.fulls += 1
        return faults


class ViewerV2(Viewer):
    """Comes back with `since`, unless told to begin anew each time."""

    protocols = ("throughline.v2",)
    view_type = ViewV2

    def __init__(self, *arguments, resume=True, **options):
        self.resume = resume
        super().__init__(*arguments, **options)

    def _next_url(self):
        since = self.view.position if self.resume else None
        self.view.connected(resumed=since is not None)
        return self.url + (f"&since={since[0]}:{since[1]}" if since else "")

    async def ask(self, kind, timeout=PATIENCE, **fields):
        """Sends a client frame under an id of its own and returns the answer to it."""
        mark = fields.pop("id", f"{kind}-{next(_ids)}")
        await self.send(json.dumps({"type": kind, "id": mark, **fields}))

        def answered():
            return [a for a in self.view.answers if a.get("id") == mark]
        await self._bell.until(answered, lambda: f"an answer to {kind}: {self._story()}", timeout)
        return answered()[0]
