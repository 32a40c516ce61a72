"""What a run leaves behind for the checker: plain values, no sockets. Instants are seconds since 1970."""

import dataclasses
import datetime


@dataclasses.dataclass
class Prompt:
    """A prompt as the person who posted it knows it. `order` counts the session's prompts."""
    id: str
    content: str
    order: int
    interrupt: bool = False
    interaction_id: str | None = None  # None: never acknowledged
    position: tuple | None = None
    cancel: str | None = None  # what the answer to a cancel said


@dataclasses.dataclass
class SentTurn:
    """An answer as its agent knows it. `entries`: (type, message id, content, tool name, tool status), none empty."""
    request_id: str
    prompt: str
    entries: list
    ended: str  # complete, error, cancelled, crashed, open
    error: str = ""
    typed: bool = False
    began: float = 0.0


@dataclasses.dataclass
class Sent:
    """Everything the agent of one session said and got."""
    numbered: bool
    turns: list = dataclasses.field(default_factory=list)
    versions: dict = dataclasses.field(default_factory=dict)  # message id -> every content it ever had
    deliveries: list = dataclasses.field(default_factory=list)  # (request id, message, redelivered)
    cuts: list = dataclasses.field(default_factory=list)  # (from, until): when it had no connection after its first
    crashes: list = dataclasses.field(default_factory=list)  # when its process died
    faults: list = dataclasses.field(default_factory=list)  # what it saw itself that breaks the contract
    emitted: int = 0  # v2: the last number it gave
    acknowledged: int = 0  # v2: the highest number acknowledged to it


@dataclasses.dataclass
class Viewing:
    """Where one viewer stood at the end. `view` has interactions, total, position; a stream has no position."""
    name: str
    kind: str  # v1, v2, sse
    view: object
    faults: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Followed:
    """One answer followed over HTTP to its end."""
    interaction_id: str
    entries: list
    outcome: str | None  # complete, turn_error, turn_interrupted, ...; None: [DONE] never came
    faults: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Stored:
    """What the database holds at the end, read over HTTP."""
    interactions: list
    head: tuple
    queue: list
    events: dict  # position -> digest of the event, as GET .../events gives it
    log_faults: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class SessionHistory:
    id: str
    prompts: list
    sent: Sent
    viewers: list
    followed: list
    stored: Stored
    seen: dict  # position -> digest of the event that some viewer got
    faults: list = dataclasses.field(default_factory=list)  # answers that break the contract


@dataclasses.dataclass(frozen=True)
class Violation:
    rule: str
    session: str
    what: str


def instant(text):
    """Seconds since 1970 of an RFC 3339 time, or None."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None
