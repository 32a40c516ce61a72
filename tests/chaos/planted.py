"""Lies that the judge has to find, each told to one session of a running system. A name says what is wrong."""

import contextlib
import json

from chaos.load import RecordedNumberedAgent, RecordedStockAgent
from chaos.relay import Honest, Relay

SOME = 12  # the lie comes when so many frames have passed: in the middle of things


class Once(Honest):
    """Counts; `now()` is true once, when enough has passed."""

    def __init__(self):
        self._passed = 0
        self.told = False

    def now(self):
        self._passed += 1
        if self._passed >= SOME and not self.told:
            self.told = True
            return True
        return False


def is_patch(frame):
    return frame.get("type") == "interaction_patch"


class AViewerMissesAFrame(Once):
    def to_viewer(self, frame):
        return [] if is_patch(frame) and self.now() else [frame]


class AViewerGetsAFrameTwice(Once):
    def to_viewer(self, frame):
        return [frame, frame] if is_patch(frame) and self.now() else [frame]


class AViewerGetsOtherWords(Once):
    def to_viewer(self, frame):
        if is_patch(frame) and frame["entry_patches"][-1]["patch"].strip() and self.now():
            patch = frame["entry_patches"][-1]
            patch["patch"] = "?" + patch["patch"][1:]
        return [frame]


class AViewerGetsTwoFramesInTheWrongOrder(Once):
    _kept = None

    def to_viewer(self, frame):
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return [frame, kept]
        if is_patch(frame) and self.now():
            self._kept = frame
            return []
        return [frame]


class AViewerIsToldNothingAnyMore(Once):
    def to_viewer(self, frame):
        return [] if self.told or self.now() else [frame]


class AStreamMissesAChunk(Once):
    def chunk(self, data):
        return [] if '"patch_offset":' in data and '"reset"' not in data and self.now() else [data]


class AStreamEndsTooEarly(Once):
    def chunk(self, data):
        if '"finish_reason":null' in data and self.now():
            stop = json.loads(data.partition("data: ")[2])
            stop["choices"][0].update(delta={}, finish_reason="stop")
            stop.pop("entry_patches", None)
            return [data.partition("data: ")[0] + f"data: {json.dumps(stop)}\n\n", "data: [DONE]\n\n"]
        return [data]


class APromptIsAcknowledgedAndForgotten(Once):
    def answer(self, method, path, body):
        if method == "POST" and path.endswith("/messages") and self._later():
            return 202, {"prompt_id": body["id"], "interaction_id": "int_01h2xcejqtf2nbrexx3vqjhp41", "state": "queued",
                         "position": "1:3"}
        return None

    def _later(self):
        self._passed += SOME // 3
        return self.now()


class APromptIsAcknowledgedBeforeItsCommit(APromptIsAcknowledgedAndForgotten):
    """The answer names a position that no event has."""

    def answer(self, method, path, body):
        made = super().answer(method, path, body)
        return made and (made[0], {**made[1], "position": "1:99999"})


class AnAnswerThatNoContractKnows(APromptIsAcknowledgedAndForgotten):
    def answer(self, method, path, body):
        return (500, {"error": {"code": "oops", "message": "m"}}) if super().answer(method, path, body) else None


class AnEntryIsGone(Once):
    """Chooses an entry that nobody has heard of yet: agents say everything again, so only all of it is a loss."""

    def __init__(self):
        super().__init__()
        self._heard = set()
        self._gone = None

    def gone(self, frame):
        if frame["event_type"] != "message_added" or frame["data"]["role"] == "user":
            return False
        entry = frame["data"]["message_id"]
        if entry not in self._heard and self._gone is None and self.now():
            self._gone = entry
        self._heard.add(entry)
        self._passed += 1
        return entry == self._gone


class AnAgentsWordsAreSwallowed(AnEntryIsGone):
    """And no connection ends."""

    def from_agent(self, frame):
        return [] if self.gone(frame) else [frame]


class AnAgentsWordsAreChanged(Once):
    _changed = None

    def from_agent(self, frame):
        if frame["event_type"] == "message_added":
            if self._changed is None and self.now():
                self._changed = frame["data"]["message_id"]
            if frame["data"]["message_id"] == self._changed:
                frame["data"]["content"] += "and more"
        return [frame]


class AnAgentsEndIsSwallowed(Once):
    def from_agent(self, frame):
        return [] if frame["event_type"] == "message_completed" and self._told_late() else [frame]

    def _told_late(self):
        self._passed += SOME // 2
        return self.now()


class Renumbered(AnEntryIsGone):
    """The bridge counts what this passes on; the agent is told its own numbers. `copies(frame)`: what is passed on."""
    numbered = True

    def __init__(self):
        super().__init__()
        self._numbers = []  # the agent's number of each frame that the bridge has got
        self._swallowed = set()

    def from_agent(self, frame):
        copies = self.copies(frame)
        if not copies:
            self._swallowed.add(frame["seq"])
        passed = []
        for copy in copies:
            self._numbers.append(frame["seq"])
            passed.append({**copy, "seq": len(self._numbers)})
        return passed

    def to_agent(self, frame):
        if frame["type"] == "ack":
            own = self._numbers[frame["data"]["seq"] - 1]
            while own + 1 in self._swallowed:
                own += 1
            frame["data"]["seq"] = own
        return [frame]


class ANumberedAgentsWordsAreAcknowledgedAndLost(Renumbered):
    def copies(self, frame):
        return [] if self.gone(frame) else [frame]


class ANumberedAgentSaysItAgainUnderAnotherNumber(Renumbered):
    """What a person typed, since saying an answer's text again changes nothing."""

    def copies(self, frame):
        if frame["event_type"] != "message_added" or frame["data"]["role"] != "user":
            return [frame]
        again = {**frame["data"], "message_id": str(int(frame["data"]["message_id"]) + 1000)}
        return [frame, {**frame, "data": again}]


class AnAcknowledgementGoesBack(Once):
    numbered = True

    def to_agent(self, frame):
        if frame["type"] == "ack" and frame["data"]["seq"] > 3 and self.now():
            return [frame, {"type": "ack", "data": {"seq": frame["data"]["seq"] - 3}}]
        return [frame]


class AnAgentGetsAPromptTwice(AnAgentsEndIsSwallowed):
    def from_agent(self, frame):
        return [frame]

    def to_agent(self, frame):
        return [frame, frame] if frame["type"] == "chat_message" and self._told_late() else [frame]


# What stands between the parts of the system and the database cannot be lied about from outside; the database itself
# can. Each is a statement for one session, run when its load is over or before it begins.
AN_EVENT_IS_STORED_OTHERWISE_THAN_IT_WAS_PUBLISHED = """
    create function lie() returns trigger language plpgsql as
      $$ begin new.body := replace(new.body, '"patch":"', '"patch":"!'); return new; end $$;
    create trigger lie before insert on events for each row when (new.session_id = '{session}' and new.seq > 12)
      execute function lie()"""
AN_EVENT_IS_GONE = "delete from events where session_id = '{session}' and seq = 12"
A_TURN_IS_GONE = """delete from interactions where session_id = '{session}'
    and ordinal = (select max(ordinal) from interactions where session_id = '{session}')"""
A_TERMINAL_STATE_CHANGES = """update interactions set state = 'interrupted',
    body = replace(body, '"state":"complete"', '"state":"interrupted"')
    where session_id = '{session}' and ordinal = 1"""

# Lie -> the rules of which at least one has to name it.
LIES = {
    AViewerMissesAFrame: {"viewers"}, AViewerGetsAFrameTwice: {"viewers"},
    AViewerGetsTwoFramesInTheWrongOrder: {"viewers"}, AViewerGetsOtherWords: {"viewers", "stored_log"},
    AViewerIsToldNothingAnyMore: {"viewers"},
    AStreamMissesAChunk: {"streams"}, AStreamEndsTooEarly: {"streams"},
    APromptIsAcknowledgedAndForgotten: {"lost_prompts"},
    APromptIsAcknowledgedBeforeItsCommit: {"acknowledged_positions"},
    AnAnswerThatNoContractKnows: {"contract"},
    AnAgentsWordsAreSwallowed: {"answers"}, AnAgentsWordsAreChanged: {"answers"}, AnAgentsEndIsSwallowed: {"stuck", "contract"},
    AnAgentGetsAPromptTwice: {"deliveries"}, ANumberedAgentsWordsAreAcknowledgedAndLost: {"answers"},
    ANumberedAgentSaysItAgainUnderAnotherNumber: {"duplicated_or_invented_turns"},
    AnAcknowledgementGoesBack: {"acknowledgements"},
}
STATEMENTS = {
    "AN_EVENT_IS_STORED_OTHERWISE_THAN_IT_WAS_PUBLISHED": {"stored_log"},
    "AN_EVENT_IS_GONE": {"stored_log"}, "A_TURN_IS_GONE": {"lost_prompts", "answers"}, "A_TERMINAL_STATE_CHANGES": {"viewers"},
}
BEFORE = {"AN_EVENT_IS_STORED_OTHERWISE_THAN_IT_WAS_PUBLISHED"}
NAMES = [*(lie.__name__ for lie in LIES), *STATEMENTS]
EXPECTED = {**{lie.__name__: rules for lie, rules in LIES.items()}, **STATEMENTS}


@contextlib.asynccontextmanager
async def planted(system, load):
    """Every lie at once, each in a session of its own in the order of NAMES; the sessions after those are told none."""
    def execute(session, name):
        return lambda: system.postgres.execute(globals()[name].format(session=session.id))

    async with contextlib.AsyncExitStack() as stack:
        for session, lie in zip(load.sessions, LIES):
            session.agent_class = RecordedNumberedAgent if lie.numbered else RecordedStockAgent
            session.doors = await stack.enter_async_context(Relay(load.doors, lie()))
        for session, name in zip(load.sessions[len(LIES):], STATEMENTS):
            setattr(session, "on_open" if name in BEFORE else "before_reading", execute(session, name))
        yield
