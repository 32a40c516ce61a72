"""What v2 sockets and streams show: folds that check every frame by the public rules (design 5.3.1, 5.4). Pure."""

import json
import zlib

from support.view import apply_patch, joined
from support.viewer_v2 import ViewV2

def digest(event):
    """Of the JSON value, so that bytes that mean the same are the same."""
    return zlib.crc32(json.dumps(event, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass"))


class Ledger:
    """The events that the viewers of one session saw, by position: every one of them has to see the same.

    It stands where a `View` keeps whole frames, and keeps their digests."""

    def __init__(self):
        self.digests = {}

    def setdefault(self, position, frame):
        seen = digest(frame)
        return frame if self.digests.setdefault(position, seen) == seen else {"another digest": seen}


class NumberedView(ViewV2):
    """A v2 socket: no baselines; after `since` the missed events and `replay_complete`, or a full state."""

    @property
    def since(self):
        return None if self.position is None else f"{self.position[0]}:{self.position[1]}"

    @property
    def reconnect_after_ms(self):
        """The newest hint of this connection, or None."""
        return self.hints[-1]["after_ms"] if self.hints else None

    def connected(self, since=None):
        super().connected(resumed=since is not None)
        self.hints.clear()

    def _apply(self, frame):
        position = (frame["epoch"], frame["seq"])
        if self._replaying and self.position and position[0] > self.position[0]:
            # A position of an epoch that is over can be resumed: what is replayed then was written before and after.
            self.position = (position[0], self.position[1])
        return super()._apply(frame)

    def _place(self, kind, frame):
        if kind == "replay_complete" and self._replaying and self.position and frame["epoch"] > self.position[0]:
            self.position = (frame["epoch"], self.position[1])
        self._expect(not (self._replaying and kind == "heartbeat"), "no heartbeat inside a replay", frame)
        self._expect(not self._first, "a state first", frame)
        super()._place(kind, frame)


class ChatView:
    """One answer as its stream tells it, through as many connections as it takes."""

    def __init__(self, session_id):
        self.session_id = session_id
        self.entries = []
        self.last_id = None
        self.outcome = None
        self.done = False
        self.violations = []
        self.connected()

    def connected(self):
        """A connection that sent `last_id` (or nothing) begins."""
        self._opening = True  # its first chunk is still to come
        self._at_snapshot = False  # nothing since the opening chunk, which may be younger than the end it leads to
        self._given_up = False

    def take(self, event_id, data):
        faults = []
        try:
            faults = self._take(event_id, data)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            faults = [f"{type(error).__name__}: {error}"]
        self.violations += [f"{fault} in {event_id} {str(data)[:600]}" for fault in faults]

    def _take(self, event_id, data):
        if data == "[DONE]":
            self.done = self.outcome is not None
            return [] if self.done or self._given_up else ["[DONE] before the end"]
        body = json.loads(data)
        if self.outcome and not (self._opening and self._is_end(body)):
            return ["a chunk after the end"]
        if event_id is None:
            if "error" in body:
                return self._patience(body)
            return ["a chunk without an id"]
        position = tuple(map(int, event_id.split(":")))
        if self._is_end(body):
            return self._end(event_id, position, body)
        if body["id"] != self.session_id:
            return ["another session's chunk"]
        # A new epoch resets whoever watches, in the middle of a stream as well.
        renewed = body.get("reset") and self.last_id is not None and position[0] > self._position()[0]
        if self._opening or renewed:
            return self._open(event_id, position, body)
        if position <= self._position():
            return [f"a chunk at or before {self.last_id}"]
        self.last_id, self._at_snapshot = event_id, False
        return self._chunk(body)

    @staticmethod
    def _is_end(body):
        return "error" in body or body["choices"][0].get("finish_reason") is not None

    def _patience(self, body):
        """The gateway gave up waiting or reading; the turn goes on, and so does the client, elsewhere."""
        code = body["error"]["code"]
        allowed = ("agent_timeout", "agent_offline", "outcome_unknown", "not_accepted", "shutting_down")
        self._given_up = True
        return [] if code in allowed else [f"an error without an id: {code}"]

    def _position(self):
        return tuple(map(int, self.last_id.split(":")))

    def _open(self, event_id, position, body):
        self._opening = False
        if body.get("reset"):
            self.entries, self.last_id, self._at_snapshot = [], event_id, True
            return self._patches(body["entry_patches"], len(body["entry_patches"]))
        if self.last_id is None:
            return ["the opening chunk of a first connection is no reset"]
        faults = [] if event_id == self.last_id else [f"resumed at {event_id} instead of {self.last_id}"]
        if body["choices"][0]["delta"].get("content"):
            faults.append("a resumed stream opens with content")
        return faults

    def _end(self, event_id, position, body):
        faults = []
        if self.last_id is not None and position < self._position() and not self._at_snapshot:
            faults.append(f"ends at {event_id}, before {self.last_id}")
        if self._opening and self.last_id is None:
            faults.append("no opening chunk before the end")
        outcome = body["error"]["code"] if "error" in body else "complete"
        if self.outcome not in (None, outcome):
            faults.append(f"ends as {outcome}, after {self.outcome}")
        self.outcome, self.last_id, self._opening = outcome, event_id, False
        return faults

    def _chunk(self, body):
        before = joined([e for e in self.entries if e["content"]])
        faults = self._patches(body["entry_patches"], None)
        after = joined([e for e in self.entries if e["content"]])
        content = body["choices"][0]["delta"].get("content")
        if content is not None and before + content != after:
            faults.append(f"delta.content {content!r} makes of {before[-80:]!r} not {after[-80:]!r}")
        return faults

    def _patches(self, patches, count):
        for patch in patches:
            while len(self.entries) <= patch["index"]:
                self.entries.append({"type": "text", "content": "", "message_id": ""})
            new = {"type": patch["type"], "content": apply_patch(self.entries[patch["index"]]["content"], patch),
                   "message_id": patch["message_id"]}
            for field in ("tool_name", "tool_status"):
                if patch.get(field):
                    new[field] = patch[field]
            self.entries[patch["index"]] = new
        empty = [e for e in self.entries if not e["content"]]
        return ["an entry without content"] if empty else []
