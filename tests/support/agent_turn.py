"""What an agent keeps of its conversations: threads, their entries, and the answer that is being given."""

import asyncio
import time


class Entry:
    def __init__(self, index, kind, content="", tool_name=None, tool_status=None):
        self.index = index
        self.kind = kind  # user, text, tool_call
        self.content = content
        self.tool_name = tool_name
        self.tool_status = tool_status
        self.sent_at = None
        self.timer = None


class Thread:
    def __init__(self, thread_id):
        self.id = thread_id
        self.entries = []
        self.loaded = True
        self.turn = None
        self.last_request_id = ""

    def add(self, kind, **fields):
        entry = Entry(len(self.entries), kind, **fields)
        self.entries.append(entry)
        return entry


class Turn:
    """One answer. `text`, `tool` and `complete` only queue events; nothing waits for the network."""

    def __init__(self, agent, thread, prompt, request_id, data):
        self.agent = agent
        self.thread = thread
        self.prompt = prompt
        self.request_id = request_id
        self.data = data
        self.first = len(thread.entries)
        self.ended = asyncio.Event()
        self.cancelled = False

    @property
    def entries(self):
        return self.thread.entries[self.first:]

    def text(self, chunk, new=False):
        """Appends to the newest text entry, or begins one."""
        entries = self.entries
        if new or not entries or entries[-1].kind != "text":
            self._begin(self.thread.add("text", content=chunk))
        else:
            entries[-1].content += chunk
            self._changed(entries[-1])

    def correct(self, position, content):
        """Replaces the content of an entry of this turn, counted from 0."""
        self.entries[position].content = content
        self._changed(self.entries[position])

    def tool(self, name, status, content):
        """Begins a tool call, or changes the newest one of that name."""
        for entry in reversed(self.entries):
            if entry.kind == "tool_call" and entry.tool_name == name:
                entry.tool_status, entry.content = status, content or entry.content
                self._changed(entry)
                return
        self._begin(self.thread.add("tool_call", content=content, tool_name=name, tool_status=status))

    def complete(self, usage=None):
        self._finish()
        self.agent.emit("message_completed", acp_thread_id=self.thread.id, message_id="0",
                        request_id=self.request_id, agent_name=self.agent.name, usage=usage)

    def fail(self, error):
        """An abnormal end: what is pending is flushed, no completion follows."""
        self._flush_pending()
        self._end()
        self.agent.emit("chat_response_error", request_id=self.request_id, error=error)

    def fail_load(self, error):
        self._end()
        self.agent.emit("thread_load_error", acp_thread_id=self.thread.id, request_id=self.request_id, error=error)

    def retitle(self, title):
        self.agent.emit("thread_title_changed", acp_thread_id=self.thread.id, title=title)

    def _finish(self):
        self._flush_pending()
        for entry in self.entries:
            if entry.content:
                self._send(entry)
        self._end()

    def _end(self):
        if self.thread.turn is self:
            self.thread.turn = None
        self.ended.set()

    def abandon(self):
        """The process died: no event, no timer."""
        for entry in self.entries:
            if entry.timer:
                entry.timer.cancel()
                entry.timer = None
        self._end()

    def _begin(self, entry):
        for earlier in self.entries:
            if earlier is not entry and earlier.content:
                self._send(earlier)
        self._send(entry)

    def _changed(self, entry):
        self._flush_pending(entry)
        interval = self.agent.throttle_s
        if entry.kind == "tool_call" or interval == 0 or time.monotonic() - entry.sent_at >= interval:
            self._send(entry)
        elif entry.timer is None:
            entry.timer = asyncio.get_running_loop().call_later(interval, self._send, entry)

    def _flush_pending(self, but=None):
        for entry in self.entries:
            if entry.timer and entry is not but:
                self._send(entry)

    def _send(self, entry):
        if entry.timer:
            entry.timer.cancel()
            entry.timer = None
        entry.sent_at = time.monotonic()
        data = {"acp_thread_id": self.thread.id, "message_id": str(entry.index), "content": entry.content,
                "role": "assistant", "entry_type": entry.kind, "request_id": self.request_id,
                "timestamp": int(time.time())}
        if entry.kind == "tool_call":
            data.update(tool_name=entry.tool_name, tool_status=entry.tool_status)
        self.agent.emit("message_added", **data)
