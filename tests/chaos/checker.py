"""The judge: one session's history in, violations out. Pure; each rule is a function of its own.

What a stock agent said around the end of a connection may be lost with it (design 2): it neither numbers nor
acknowledges. What any agent said and had not acknowledged is lost when its own process dies. Such a turn is *exposed*,
and for it `answers` asks less: nothing invented, nothing twice, in order, ended.
Everything else, and every turn of a numbered agent, has to be there to the letter.
"""

import collections

from chaos.history import Violation, instant
from support.view import TERMINAL, differences

# How a turn ends by the clock of design 6.4 when what its agent said was lost with a connection.
LOST_WITH_A_CONNECTION = {"agent_lost", "lost_contact", "empty_response", "agent_restarted"}

# So many prompts are posted at most before their ends are awaited.
BURST_MAX = 3
FAULTS_SHOWN = 3


def judge(history):
    """Every violation of one session."""
    found = []
    for rule in RULES:
        found += [Violation(rule.__name__, history.id, what) for what in rule(history)]
    return found


def brief(text, length=300):
    text = str(text)
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def lost_prompts(history):
    stored = {i["id"] for i in history.stored.interactions}
    for prompt in history.prompts:
        if prompt.interaction_id is None:
            yield f"prompt {prompt.id} was never decided"
        elif prompt.interaction_id not in stored and prompt.cancel != "cancelled":
            yield f"prompt {prompt.id} was acknowledged as {prompt.interaction_id} and is gone"


def acknowledged_positions(history):
    """A position in an answer is that of a committed event."""
    for prompt in history.prompts:
        if prompt.position is not None and prompt.position not in history.stored.events:
            yield f"prompt {prompt.id} was acknowledged at {prompt.position}, where no event is stored"


def duplicated_or_invented_turns(history):
    known = {p.content for p in history.prompts} | {t.prompt for t in history.sent.turns if t.typed}
    counts = collections.Counter(i["prompt_message"] for i in history.stored.interactions)
    for content, count in counts.items():
        if content not in known:
            yield f"{count} interaction(s) that nobody asked for: {brief(content)!r}"
        elif count > 1:
            yield f"{count} interactions of one prompt {brief(content)!r}"
    by_id = {p.interaction_id: p for p in history.prompts}
    for interaction in history.stored.interactions:
        prompt = by_id.get(interaction["id"])
        if prompt and (prompt.content, prompt.id) != (interaction["prompt_message"], interaction.get("prompt_id")):
            yield f"{interaction['id']} does not hold the prompt that was acknowledged under it"


def order(history):
    """Conversation order is that in which one person posted; an interrupt may overtake."""
    orders = {p.interaction_id: p.order for p in history.prompts if not p.interrupt}
    posted = [orders[i["id"]] for i in history.stored.interactions if i["id"] in orders]
    if posted != sorted(posted):
        yield f"prompts were dispatched in the order {posted}"
    ordinals = [i["ordinal"] for i in history.stored.interactions]
    if ordinals != sorted(set(ordinals)):
        yield f"ordinals {ordinals}"


def stuck(history):
    for interaction in history.stored.interactions:
        if interaction["state"] not in TERMINAL:
            yield f"{interaction['id']} is still {interaction['state']}"
    if history.stored.queue:
        yield f"still queued: {brief(history.stored.queue)}"


def deliveries(history):
    """A prompt goes out once; again only marked, and only to an agent that can tell."""
    prompts = {p.interaction_id: p for p in history.prompts}
    counts = collections.Counter()
    for request_id, message, redelivered in history.sent.deliveries:
        counts[request_id] += 1
        prompt = prompts.get(request_id)
        if prompt is None or prompt.content != message:
            yield f"the agent got {brief(message)!r} as {request_id}, which nobody posted so"
        elif redelivered and not history.sent.numbered:
            yield f"{request_id} was sent to a stock agent as redelivered"
        elif counts[request_id] > 1 + len(history.sent.crashes) and not redelivered:
            yield f"{request_id} was sent to the agent {counts[request_id]} times"


def exposed(history, interaction, sent_turn):
    """Whether what the agent said or got in this turn may honestly be lost."""
    # Without a turn at the agent, the prompt itself was lost on its way: some time after it was dispatched.
    began = sent_turn.began if sent_turn else instant(interaction["created"])
    ended = instant(interaction["completed"]) or float("inf")
    losses = [(crash, crash) for crash in history.sent.crashes]
    # A prompt that goes out while its agent is away, and nobody has noticed yet, may have been written, or not: a stock
    # agent does not get it again (design 6.3).
    losses += [] if history.sent.numbered else history.sent.cuts
    return any(since <= ended and began <= until for since, until in losses)


def interruptible(history, prompt):
    """Whether a prompt that was posted soon after this one wanted to interrupt it."""
    return prompt is not None and any(p.interrupt and prompt.order < p.order <= prompt.order + BURST_MAX
                                      for p in history.prompts)


def answers(history):
    turns = {t.request_id: t for t in history.sent.turns if not t.typed}
    typed = {t.prompt: t for t in history.sent.turns if t.typed}
    prompts = {p.interaction_id: p for p in history.prompts}
    stored = {i["id"]: i for i in history.stored.interactions}
    for interaction in history.stored.interactions:
        turn = turns.get(interaction["id"]) or typed.get(interaction["prompt_message"])
        yield from (f"{interaction['id']}: {what} ({circumstances(history, interaction, turn)})"
                    for what in answer(history, interaction, turn, prompts.get(interaction["id"])))
    shown = {i["prompt_message"] for i in history.stored.interactions}
    for turn in history.sent.turns:
        if turn.typed and turn.prompt not in shown and not any(turn.began <= c for c in history.sent.crashes):
            yield f"what a person typed in the editor is gone: {brief(turn.prompt)!r}"
        elif not turn.typed and turn.request_id not in stored:
            yield f"the answer {turn.request_id} is gone"


def circumstances(history, interaction, turn):
    """For whoever looks for the reason; seconds are counted from the dispatch."""
    start = instant(interaction["created"])
    ended = instant(interaction["completed"])
    agent = "a numbered agent" if history.sent.numbered else "a stock agent"
    heard = f"got it after {turn.began - start:.1f} s and left it {turn.ended}" if turn else "never got it"
    cuts = ", ".join(f"{since - start:.1f} to {until - start:.1f} s" for since, until in history.sent.cuts
                     if start - 30 < until and since < (ended or since) + 5)
    lasted = f"{ended - start:.1f} s" if ended else "to this day"
    return f"{agent} that {heard}; lasted {lasted}; without a connection: {cuts or 'never'}"


def answer(history, interaction, turn, prompt):
    state, code = interaction["state"], interaction.get("error_code")
    yield from invented(history.sent, interaction, ordered=not exposed(history, interaction, turn))
    if state not in TERMINAL:
        return
    by_another = interruptible(history, prompt)
    if prompt and prompt.cancel and not by_another and (prompt.cancel == "cancelled") != (state == "interrupted"):
        yield f"the cancel was answered {prompt.cancel}, the turn is {state}"
    if state == "interrupted" and (by_another or prompt and prompt.cancel):
        return  # what an agent said after the end of its turn may still be added to the record, or not
    if exposed(history, interaction, turn):
        if state != "complete" and code not in LOST_WITH_A_CONNECTION and not (turn and turn.ended == "error"):
            yield f"ended as {state} ({code}: {interaction['error']})"
        return
    if turn is None or turn.ended == "open":
        yield f"ended as {state} ({code}: {interaction['error']}), and its agent did not end it"
    elif turn.ended == "error":
        if state != "error" or turn.error not in interaction["error"]:
            yield f"the agent failed with {turn.error!r}, stored is {state} {interaction['error']!r}"
    elif turn.ended == "cancelled" and not (by_another or prompt and prompt.cancel):
        yield "the agent was told to cancel it, and nobody had asked for that"
    elif state != "complete" and turn.ended == "complete":
        yield f"the agent completed it, stored is {state} ({code}: {interaction['error']})"
    else:
        yield from exact(interaction, turn)


def exact(interaction, turn):
    kept = [(e["type"], e["message_id"], e["content"], e.get("tool_name"), e.get("tool_status"))
            for e in interaction["response_entries"] or []]
    if kept == turn.entries:
        return
    for number, (got, said) in enumerate(zip(kept, turn.entries)):
        if got != said:
            yield f"entry {number} is {brief(got)}, the agent said {brief(said)}"
            return
    yield f"{len(kept)} entries, the agent said {len(turn.entries)}: {brief((kept, turn.entries), 600)}"


def invented(sent, interaction, ordered):
    """Every entry is something that the agent once said, once, and in the order in which it said it first; where the first was lost
    with a connection, an entry stands where it was said again."""
    entries = interaction["response_entries"] or []
    for entry in entries:
        if entry["content"] not in sent.versions.get(entry["message_id"], ()):
            yield f"an entry that the agent never said: {brief(entry)}"
    ids = [int(e["message_id"]) for e in entries]
    if len(ids) != len(set(ids)) or ordered and ids != sorted(ids):
        yield f"entries out of order or twice: {ids}"


def acknowledgements(history):
    """A numbered agent is told in the end that all it said is kept; the frames themselves are judged by `answers`."""
    yield from history.sent.faults
    if history.sent.numbered and history.sent.acknowledged != history.sent.emitted:
        yield f"the agent said {history.sent.emitted} frames, acknowledged to it are {history.sent.acknowledged}"


def stored_log(history):
    """Gapless from 1 to the head, and everything that anyone saw is in it."""
    yield from history.stored.log_faults
    seqs = sorted(seq for _, seq in history.stored.events)
    if seqs != list(range(1, history.stored.head[1] + 1)):
        yield f"the stored log is not 1..{history.stored.head[1]}: {len(seqs)} events"
    for position, digest in history.seen.items():
        if position not in history.stored.events:
            yield f"the event at {position} was seen and is not stored"
        elif history.stored.events[position] != digest:
            yield f"the event at {position} was seen with another content than is stored"


def viewers(history):
    for viewing in history.viewers:
        # One breach is followed by many.
        yield from (f"{viewing.name}: {brief(fault, 500)}" for fault in viewing.faults[:FAULTS_SHOWN])
        if viewing.view.position != history.stored.head:
            yield f"{viewing.name}: at {viewing.view.position}, the head is {history.stored.head}"
        yield from (f"{viewing.name}: {brief(d, 1200)}" for d in differences(viewing.view, history.stored.interactions))


def streams(history):
    stored = {i["id"]: i for i in history.stored.interactions}
    expected = {"complete": "complete", "error": "turn_error", "interrupted": "turn_interrupted"}
    for followed in history.followed:
        name = f"stream of {followed.interaction_id}"
        yield from (f"{name}: {brief(fault, 500)}" for fault in followed.faults[:FAULTS_SHOWN])
        interaction = stored.get(followed.interaction_id)
        state = interaction["state"] if interaction else "interrupted"  # cancelled before it was dispatched
        if followed.outcome is None:
            yield f"{name} never ended"
        elif state in TERMINAL and followed.outcome != expected[state]:
            yield f"{name} ended with {followed.outcome}, the turn is {state}"
        elif state == "complete" and followed.entries != interaction["response_entries"]:
            yield f"{name} shows {brief(followed.entries)}, stored is {brief(interaction['response_entries'])}"


def contract(history):
    """Answers and refusals on the way that the contract does not allow."""
    yield from history.faults


RULES = (lost_prompts, acknowledged_positions, duplicated_or_invented_turns, order, stuck, deliveries, answers,
         acknowledgements, stored_log, viewers, streams, contract)
