"""What a viewer sees: the fold of the frames of one user socket after another, checked frame by frame."""

import hashlib

NULLS = ("worker_task_response", "inference_response", "step_info")
EVENT_FIELDS = {"type", "session_id", "interaction_id", "owner", "epoch", "seq", *NULLS}
BODY_FIELDS = {
    "session_update": {"session"},
    "interaction_update": {"interaction"},
    "interaction_patch": {"entry_patches", "entry_count"},
}
TERMINAL = ("complete", "error", "interrupted")


def utf16(text):
    return text.encode("utf-16-le", "surrogatepass")


def apply_patch(content, patch):
    """One entry patch on one entry's content; raises ValueError where the patch does not fit what is there."""
    before, offset = utf16(content), patch["patch_offset"]
    if offset * 2 > len(before):
        raise ValueError(f"patch_offset {offset} beyond the {len(before) // 2} units there are")
    after = before[: offset * 2] + utf16(patch["patch"])
    if len(after) != patch["total_length"] * 2:
        raise ValueError(f"{len(after) // 2} units after the patch, total_length says {patch['total_length']}")
    return after.decode("utf-16-le")  # a split surrogate pair raises


def entries_sha256(entries):
    digest = hashlib.sha256()
    for entry in entries:
        for field in ("type", "message_id", "tool_name", "tool_status", "content"):
            raw = entry.get(field, "").encode()
            digest.update(str(len(raw)).encode() + b":" + raw)
    return digest.hexdigest()


def joined(entries):
    return "\n\n".join(entry["content"] for entry in entries)


def check_interaction(interaction):
    """What is wrong with one interaction as such."""
    wrong, entries = [], interaction["response_entries"] or []
    if interaction["response_message"] != joined(entries):
        wrong.append("response_message is not its entries joined by a blank line")
    if any(not entry["content"] for entry in entries):
        wrong.append("an empty entry is shown")
    if interaction["state"] in TERMINAL:
        if interaction.get("entries_sha256") != entries_sha256(entries):
            wrong.append(f"entries_sha256 {interaction.get('entries_sha256')} is not {entries_sha256(entries)}")
        if not interaction["completed"]:
            wrong.append("terminal without a completed time")
    elif interaction.get("entries_sha256"):
        wrong.append("entries_sha256 before the turn ended")
    return [f"{interaction['id']}: {fault}" for fault in wrong]


class View:
    """Takes v1 frames in order; `violations` collects every breach of the contract, in words."""

    def __init__(self, session_id):
        self.session_id = session_id
        self.session = None
        self.interactions = {}
        self.total = None
        self.position = None
        self.violations = []
        self.events = {}  # (epoch, seq) -> the live frame; a full state and its baseline are not events
        self._first = True
        self._baseline_due = None

    def connected(self):
        self._first = True
        self._baseline_due = None

    def take(self, frame):
        faults = self._shape(frame)
        if not faults:
            try:
                faults = self._apply(frame)
            except (KeyError, TypeError, ValueError) as error:
                faults = [f"{type(error).__name__}: {error}"]
        self.violations += [f"{fault} in {str(frame)[:600]}" for fault in faults]

    def newest(self):
        return max(self.interactions.values(), key=lambda i: i["ordinal"], default=None)

    def text(self, interaction_id=None):
        interaction = self.interactions.get(interaction_id) if interaction_id else self.newest()
        return interaction["response_message"] if interaction else ""

    def state(self, interaction_id):
        return self.interactions.get(interaction_id, {}).get("state")

    def ordered(self):
        return sorted(self.interactions.values(), key=lambda i: i["ordinal"])

    @staticmethod
    def is_full(frame):
        return frame.get("type") == "session_update" and frame["session"].get("interactions") is not None

    def _shape(self, frame):
        kind = frame.get("type")
        if kind not in BODY_FIELDS:
            return [f"frame type {kind!r} on a v1 socket"]
        wrong = []
        if set(frame) != EVENT_FIELDS | BODY_FIELDS[kind]:
            wrong.append(f"fields {sorted(set(frame) ^ (EVENT_FIELDS | BODY_FIELDS[kind]))} too many or missing")
        if any(frame.get(field) is not None for field in NULLS):
            wrong.append("a field that is always null is not")
        if frame.get("session_id") != self.session_id:
            wrong.append("another session's frame")
        return wrong

    def _apply(self, frame):
        position = (frame["epoch"], frame["seq"])
        if self.is_full(frame):
            return self._full(frame, position)
        if self._first:
            return ["the first frame of a socket is not a full session_update"]
        if self._baseline_due is not None:
            return self._baseline(frame, position)
        if position[0] != self.position[0]:
            return [f"epoch {position[0]} after {self.position} without a full state"]
        if position[1] != self.position[1] + 1:
            return [f"seq {position[1]} after {self.position[1]}"]
        self.position = position
        known = self.events.setdefault(position, frame)
        faults = [] if known == frame else [f"another event at {position} than before: {str(known)[:600]}"]
        return faults + self._event(frame)

    def _event(self, frame):
        if frame["type"] == "interaction_patch":
            return self._patch(frame)
        if frame["type"] == "session_update":
            self.session = frame["session"]
            return []
        interaction = frame["interaction"]
        known = self.interactions.get(interaction["id"])
        faults = check_interaction(interaction)
        if interaction["id"] != frame["interaction_id"]:
            faults.append("interaction_id is not the interaction's id")
        if known is None:  # a later change of one that was too old for the first state begins nothing
            newest = self.newest()
            self.total += newest is None or interaction["ordinal"] > newest["ordinal"]
        elif known["state"] in TERMINAL and known["state"] != interaction["state"]:
            faults.append(f"terminal state {known['state']} became {interaction['state']}")
        elif interaction["state"] not in TERMINAL:
            faults.append("interaction_update between beginning and end")
        self.interactions[interaction["id"]] = interaction
        return faults

    def _full(self, frame, position):
        session = frame["session"]
        faults = []
        if self.position and position < self.position:
            faults.append(f"full state {position} is older than {self.position}")
        if (session["epoch"], session["seq"]) != position:
            faults.append("position of the frame is not that of its session")
        interactions = {i["id"]: i for i in session["interactions"]}
        ordinals = [i["ordinal"] for i in session["interactions"]]
        if ordinals != sorted(set(ordinals)):
            faults.append("interactions are not oldest first")
        for interaction in interactions.values():
            faults += check_interaction(interaction)
            known = self.interactions.get(interaction["id"])
            if position == self.position and known and visible(known) != visible(interaction):
                faults.append(f"the state at {position} differs from what the events made it: {visible(known)}")
        self.session, self.interactions, self.total = session, interactions, session["interactions_total"]
        self.position, self._first = position, False
        newest = self.newest()
        running = newest and newest["state"] == "waiting" and newest["response_entries"]
        self._baseline_due = newest["id"] if running else None
        return faults

    def _baseline(self, frame, position):
        due, self._baseline_due = self._baseline_due, None
        if frame["type"] != "interaction_patch" or frame["interaction_id"] != due or position != self.position:
            return ["no baseline patch after a full state with a running interaction"]
        if any(p["patch_offset"] != 0 for p in frame["entry_patches"]):
            return ["a baseline patch with an offset"]
        before = visible(self.interactions[due])
        faults = self._patch(frame)
        if before != visible(self.interactions[due]):
            faults.append("the baseline differs from the full state before it")
        return faults

    def _patch(self, frame):
        interaction = self.interactions.get(frame["interaction_id"])
        if interaction is None:
            return ["a patch of an interaction that never began"]
        if interaction["state"] in TERMINAL:
            return ["a patch after the terminal update"]
        entries = [dict(e) for e in interaction["response_entries"] or []]
        for patch in frame["entry_patches"]:
            while len(entries) <= patch["index"]:
                entries.append({"type": "text", "content": "", "message_id": ""})
            old = entries[patch["index"]]
            new = {"type": patch["type"], "content": apply_patch(old["content"], patch),
                   "message_id": patch["message_id"]}
            for field in ("tool_name", "tool_status"):
                if patch.get(field):
                    new[field] = patch[field]
            entries[patch["index"]] = new
        count = frame["entry_count"]
        faults = [] if len(entries) >= count else [f"entry_count {count}, but {len(entries)} entries are known"]
        entries = entries[:count]
        if any(not e["content"] for e in entries):
            faults.append("an entry without content after the patch")
        self.interactions[interaction["id"]] = {
            **interaction, "response_entries": entries, "response_message": joined(entries)}
        return faults


def visible(interaction):
    """What a running interaction shows: its patches carry no times."""
    fields = ("id", "ordinal", "state", "prompt_message", "response_message", "response_entries")
    return {**{f: interaction[f] for f in fields}, "response_entries": interaction["response_entries"] or []}


def differences(view, interactions):
    """Where a view differs from the interactions that GET returned (oldest first); empty when it does not."""
    wrong = []
    if view.total != len(interactions):
        wrong.append(f"the viewer counts {view.total} interactions, GET {len(interactions)}")
    by_id = {i["id"]: i for i in interactions}
    for seen in view.interactions.values():
        stored = by_id.get(seen["id"])
        if stored is None:
            wrong.append(f"{seen['id']} is not in GET")
        elif stored["state"] in TERMINAL and seen != stored:
            wrong.append(f"seen {seen}\nGET  {stored}")
        elif visible(seen) != visible(stored):
            wrong.append(f"seen {visible(seen)}\nGET  {visible(stored)}")
    for stored in interactions:
        wrong += check_interaction(stored)
    return wrong
