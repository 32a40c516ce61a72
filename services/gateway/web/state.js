// What the page knows about one session, and how a frame of the user socket changes it. Pure: no DOM, network or clock.
// Values are never changed in place: whatever a frame leaves alone keeps its identity, so the renderer compares
// with `===` and a repeated full state touches nothing.

/** @returns {object} the state before the first frame */
export function empty_state() {
  return { epoch: 0, seq: 0, session: null, interactions: [], total: 0, complete_from: null };
}

const unchanged = { session: false, interactions: [], order: false };

/**
 * Applies one frame.
 * `verdict` is `applied`, `ignored` (not ours, or older than what is held) or `hole` (something is missing: full state
 * is needed). `changed` names what differs from before: the session, ids of interactions, and whether the list did.
 */
export function apply_frame(state, frame) {
  if (!is_event(frame)) return ignored(state);
  if (frame.epoch < state.epoch) return ignored(state);
  if (frame.type === 'session_update' && Array.isArray(frame.session?.interactions)) return apply_full(state, frame);
  if (state.session === null || frame.epoch > state.epoch || frame.seq > state.seq + 1) return hole(state);
  // A patch at the held seq is the baseline that follows a full state; it carries whole entries and repeats safely.
  const is_baseline = frame.seq === state.seq && frame.type === 'interaction_patch';
  if (frame.seq <= state.seq && !is_baseline) return ignored(state);
  if (frame.type === 'session_update') return apply_session(state, frame);
  if (frame.type === 'interaction_update') return apply_interaction(state, frame);
  if (frame.type === 'interaction_patch') return apply_patches(state, frame);
  return moved(state, frame, {}, unchanged);
}

/**
 * Puts interactions that were read over HTTP into place: those older than the live window are added, or replaced where
 * they differ. What the socket delivered is newer and stays.
 */
export function add_earlier(state, interactions) {
  const live_from = state.complete_from ?? Infinity;
  const held = new Map(state.interactions.map((item) => [item.id, item]));
  const changed = [];
  for (const item of interactions) {
    const before = held.get(item.id);
    if (before && before.ordinal >= live_from) continue;
    if (!before && item.ordinal >= live_from) continue;
    if (before && same(before, item)) continue;
    held.set(item.id, item);
    changed.push(item.id);
  }
  if (changed.length === 0) return { state, changed: unchanged, verdict: 'applied' };
  const list = in_order([...held.values()]);
  const order = !same_ids(list, state.interactions);
  const next = { ...state, interactions: list };
  return { state: next, changed: { session: false, interactions: changed, order }, verdict: 'applied' };
}

/** @returns {object|null} the turn that is running, if there is one */
export function running_interaction(state) {
  return state.interactions.filter((item) => item.state === 'waiting').at(-1) ?? null;
}

function is_event(frame) {
  return frame !== null && typeof frame === 'object' && typeof frame.type === 'string'
    && Number.isSafeInteger(frame.epoch) && Number.isSafeInteger(frame.seq);
}

function ignored(state) {
  return { state, changed: unchanged, verdict: 'ignored' };
}

function hole(state) {
  return { state, changed: unchanged, verdict: 'hole' };
}

function moved(state, frame, fields, changed) {
  return { state: { ...state, ...fields, epoch: frame.epoch, seq: frame.seq }, changed, verdict: 'applied' };
}

// Full state replaces what is held from its oldest interaction on. Older ones, read over HTTP, stay while the epoch
// does.
function apply_full(state, frame) {
  const { interactions: received, interactions_total: total, ...rest } = frame.session;
  const oldest = received.length > 0 ? received[0].ordinal : 0;
  const same_epoch = state.epoch === 0 || state.epoch === frame.epoch;
  const earlier = same_epoch ? state.interactions.filter((item) => item.ordinal < oldest) : [];
  const held = new Map(state.interactions.map((item) => [item.id, item]));
  const changed = [];
  const live = received.map((item) => {
    const before = held.get(item.id);
    if (before && same(before, item)) return before;
    changed.push(item.id);
    return before ? keep_entries(before, item) : item;
  });
  const list = in_order([...earlier, ...live]);
  const order = !same_ids(list, state.interactions);
  const session = keep_if_same(state.session, rest);
  const interactions = order || changed.length > 0 ? list : state.interactions;
  const count = total ?? list.length;
  const session_changed = session !== state.session || count !== state.total;
  return moved(state, frame, { session, interactions, total: count, complete_from: oldest },
    { session: session_changed, interactions: changed, order });
}

function apply_session(state, frame) {
  const { interactions: _, interactions_total: total, ...rest } = frame.session ?? {};
  const session = keep_if_same(state.session, rest);
  const count = total ?? state.total;
  return moved(state, frame, { session, total: count },
    { session: session !== state.session || count !== state.total, interactions: [], order: false });
}

function apply_interaction(state, frame) {
  const item = frame.interaction;
  if (!item?.id) return hole(state);
  const at = state.interactions.findIndex((held) => held.id === item.id);
  if (at < 0) {
    // A late change of a turn that is older than what is shown: it will be read with its page.
    if (item.ordinal < state.complete_from) return moved(state, frame, {}, unchanged);
    const list = in_order([...state.interactions, item]);
    return moved(state, frame, { interactions: list, total: state.total + 1 },
      { session: true, interactions: [item.id], order: true });
  }
  if (same(state.interactions[at], item)) return moved(state, frame, {}, unchanged);
  const list = replaced(state.interactions, at, keep_entries(state.interactions[at], item));
  return moved(state, frame, { interactions: list }, { session: false, interactions: [item.id], order: false });
}

function apply_patches(state, frame) {
  const at = state.interactions.findIndex((held) => held.id === frame.interaction_id);
  // Nothing is missing here (seq is contiguous), so the turn began before what is shown.
  if (at < 0) return moved(state, frame, {}, unchanged);
  const before = state.interactions[at];
  const entries = patch_entries(before.response_entries ?? [], frame.entry_patches ?? [], frame.entry_count ?? 0);
  if (entries === null) return hole(state);
  if (entries === before.response_entries) return moved(state, frame, {}, unchanged);
  const list = replaced(state.interactions, at, { ...before, response_entries: entries });
  return moved(state, frame, { interactions: list }, { session: false, interactions: [before.id], order: false });
}

/**
 * Applies the patches of one event to a list of entries. Offsets and lengths are UTF-16 code units, as in JavaScript
 * strings. Returns the new list (the same one if nothing changed), or null when the patches do not fit what is held.
 */
export function patch_entries(entries, patches, entry_count) {
  const list = entries.slice();
  for (const patch of patches) {
    while (list.length <= patch.index) list.push({ type: 'text', content: '', message_id: '' });
    const before = list[patch.index];
    const offset = patch.patch_offset ?? 0;
    if (offset > before.content.length) return null;
    const content = before.content.slice(0, offset) + (patch.patch ?? '');
    if (content.length !== (patch.total_length ?? 0)) return null;
    const after = { ...before, type: patch.type, message_id: patch.message_id, content };
    for (const name of ['tool_name', 'tool_status']) {
      if (patch.type !== 'tool_call') delete after[name];
      else if (patch[name] !== undefined) after[name] = patch[name];
    }
    if (!same(before, after)) list[patch.index] = after;
  }
  if (list.length < entry_count) return null;
  list.length = entry_count;
  const is_same = list.length === entries.length && list.every((entry, index) => entry === entries[index]);
  return is_same ? entries : list;
}

// Entries that did not change keep their identity when an interaction arrives again in full.
function keep_entries(before, after) {
  const held = before.response_entries ?? [];
  const entries = (after.response_entries ?? []).map((entry, index) => keep_if_same(held[index], entry));
  return { ...after, response_entries: entries };
}

function keep_if_same(before, after) {
  return before && same(before, after) ? before : after;
}

function replaced(list, at, item) {
  const copy = list.slice();
  copy[at] = item;
  return copy;
}

function in_order(list) {
  return list.sort((a, b) => a.ordinal - b.ordinal);
}

function same_ids(a, b) {
  return a.length === b.length && a.every((item, index) => item.id === b[index].id);
}

/** Deep equality of JSON values; an absent member equals none but itself. */
export function same(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}
