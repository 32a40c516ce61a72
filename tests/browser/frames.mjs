// Frames of the user socket as literals: written by hand from design 5.4, not with the gateway's code.

export const session_id = 'ses_01kbh2n4x8q7v3w5y6z9a1b2c3';

const nulls = { worker_task_response: null, inference_response: null, step_info: null };

function event(type, seq, interaction_id, rest) {
  return { type, session_id, interaction_id, owner: 'demo', epoch: 1, seq, ...nulls, ...rest };
}

export function turn(ordinal, fields = {}) {
  return {
    id: `int_${ordinal}`, session_id, generation_id: 0, ordinal, created: '2030-01-01T00:00:00Z',
    updated: '2030-01-01T00:00:00Z', completed: null, state: 'complete', error: '', prompt_message: `prompt ${ordinal}`,
    response_message: '', response_entries: [], ...fields,
  };
}

export function text_entry(content, message_id = '1') {
  return { type: 'text', content, message_id };
}

export function session(fields = {}) {
  return {
    id: session_id, name: 'Demo', created: '2030-01-01T00:00:00Z', updated: '2030-01-01T00:00:00Z', owner: 'demo',
    owner_type: 'user', epoch: 1, seq: 1, agent: { status: 'ready', name: 'zed', since: null, last_event_at: null },
    config: { metadata: {} }, queue: [], interactions: null, interactions_total: 0, ...fields,
  };
}

export function full(seq, interactions, fields = {}) {
  const whole = session({ seq, interactions, interactions_total: interactions.length, ...fields });
  return event('session_update', seq, '', { session: whole });
}

export function session_changed(seq, fields) {
  return event('session_update', seq, '', { session: session({ seq, ...fields }) });
}

export function interaction(seq, item) {
  return event('interaction_update', seq, item.id, { interaction: item });
}

/** `patches`: [index, offset, text, total] or an object with all fields. */
export function patch(seq, interaction_id, patches, entry_count) {
  const entry_patches = patches.map((item) => {
    if (!Array.isArray(item)) return item;
    const [index, patch_offset, text, total_length] = item;
    return { index, message_id: String(index + 1), type: 'text', patch: text, patch_offset, total_length };
  });
  return event('interaction_patch', seq, interaction_id, { entry_patches, entry_count });
}
