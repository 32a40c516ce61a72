import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  add_earlier, apply_frame, empty_state, patch_entries, running_interaction,
} from '../../services/gateway/web/state.js';
import { full, interaction, patch, session_changed, text_entry, turn } from './frames.mjs';

function after(...frames) {
  return frames.reduce((state, frame) => {
    const step = apply_frame(state, frame);
    assert.equal(step.verdict, 'applied', JSON.stringify(frame));
    return step.state;
  }, empty_state());
}

const running = (ordinal, ...contents) => turn(ordinal, {
  state: 'waiting', response_entries: contents.map((content, index) => text_entry(content, String(index + 1))),
});

const contents = (state, at = -1) => state.interactions.at(at).response_entries.map((entry) => entry.content);

test('the first frame must be the full state', () => {
  for (const frame of [session_changed(2, {}), interaction(2, turn(1)), patch(2, 'int_1', [[0, 0, 'a', 1]], 1)]) {
    assert.equal(apply_frame(empty_state(), frame).verdict, 'hole');
  }
});

test('a repeated full state changes nothing and keeps every identity', () => {
  const frame = full(7, [turn(1, { response_entries: [text_entry('one')] }), running(2, 'two')]);
  const once = after(frame);
  const again = apply_frame(once, structuredClone(frame));
  assert.deepEqual(again.changed, { session: false, interactions: [], order: false });
  assert.equal(again.state.session, once.session);
  assert.equal(again.state.interactions, once.interactions);
});

test('a full state changes only what differs', () => {
  const first = () => turn(1, { response_entries: [text_entry('one')] });
  const once = after(full(7, [first(), running(2, 'two', 'tail')]));
  const step = apply_frame(once, full(9, [first(), running(2, 'two', 'tail end')]));
  assert.deepEqual(step.changed.interactions, ['int_2']);
  assert.equal(step.state.interactions[0], once.interactions[0]);
  assert.equal(step.state.interactions[1].response_entries[0], once.interactions[1].response_entries[0]);
  assert.deepEqual(contents(step.state), ['two', 'tail end']);
});

test('the whole life of a turn', () => {
  const state = after(
    full(3, []), interaction(4, running(1)),
    patch(5, 'int_1', [[0, 0, 'Hel', 3]], 1), patch(6, 'int_1', [[0, 3, 'lo', 5]], 1),
    patch(7, 'int_1', [[1, 0, 'second', 6]], 2), patch(8, 'int_1', [[0, 0, 'World!!', 7]], 2),
  );
  assert.equal(running_interaction(state).id, 'int_1');
  assert.deepEqual(contents(state), ['World!!', 'second']);
  assert.equal(state.total, 1);
  const { response_entries } = structuredClone(state.interactions[0]);
  const ended = apply_frame(state, interaction(9, turn(1, { response_entries })));
  assert.equal(running_interaction(ended.state), null);
  assert.equal(ended.state.interactions[0].response_entries[1], state.interactions[0].response_entries[1]);
});

test('offsets are UTF-16 code units', () => {
  const flag = '\u{1F1E9}\u{1F1EA}';
  assert.equal(flag.length, 4);
  const state = after(
    full(1, [running(1, `${flag} Status: Pending`)]), patch(2, 'int_1', [[0, 13, 'Complete 🎉', 24]], 1),
  );
  assert.deepEqual(contents(state), [`${flag} Status: Complete 🎉`]);
});

test('a patch may shorten an entry and the list', () => {
  const state = after(full(1, [running(1, 'abcdef', 'gone')]), patch(2, 'int_1', [[0, 3, '', 3]], 1));
  assert.deepEqual(contents(state), ['abc']);
});

test('a patch that does not fit is a hole, and nothing is shown of it', () => {
  const state = after(full(1, [running(1, 'abc')]));
  const too_far = apply_frame(state, patch(2, 'int_1', [[0, 5, 'x', 6]], 1));
  const wrong_length = apply_frame(state, patch(2, 'int_1', [[0, 3, 'd', 5]], 1));
  const missing_entry = apply_frame(state, patch(2, 'int_1', [[0, 3, 'd', 4]], 3));
  for (const step of [too_far, wrong_length, missing_entry]) {
    assert.equal(step.verdict, 'hole');
    assert.equal(step.state, state);
  }
});

test('a skipped seq is a hole; an older or repeated one is ignored', () => {
  const state = after(full(5, [running(1, 'abc')]));
  assert.equal(apply_frame(state, patch(7, 'int_1', [[0, 3, 'd', 4]], 1)).verdict, 'hole');
  assert.equal(apply_frame(state, patch(4, 'int_1', [[0, 3, 'd', 4]], 1)).verdict, 'ignored');
  assert.equal(apply_frame(state, interaction(5, turn(1))).verdict, 'ignored');
});

test('the baseline patch at the seq of the full state repeats safely', () => {
  const state = after(full(5, [running(1, 'abc', 'def')]));
  const step = apply_frame(state, patch(5, 'int_1', [[0, 0, 'abc', 3], [1, 0, 'def', 3]], 2));
  assert.equal(step.verdict, 'applied');
  assert.deepEqual(step.changed, { session: false, interactions: [], order: false });
});

test('a higher epoch needs full state, a lower one is ignored', () => {
  const state = after(full(5, [turn(1)]));
  assert.equal(apply_frame(state, { ...session_changed(6, {}), epoch: 2 }).verdict, 'hole');
  const risen = apply_frame(state, { ...full(3, [turn(2)]), epoch: 2 });
  assert.equal(risen.verdict, 'applied');
  assert.deepEqual([risen.state.epoch, risen.state.seq, risen.state.interactions.length], [2, 3, 1]);
  assert.equal(apply_frame(risen.state, session_changed(9, {})).verdict, 'ignored');
});

test('a session update without interactions leaves the turns alone', () => {
  const state = after(full(5, [turn(1)]));
  const step = apply_frame(state, session_changed(6, { name: 'Renamed', interactions_total: 1 }));
  assert.equal(step.state.session.name, 'Renamed');
  assert.equal(step.state.interactions, state.interactions);
  assert.deepEqual(step.changed, { session: true, interactions: [], order: false });
});

test('turns are ordered by ordinal, never by id', () => {
  const state = after(full(1, [turn(1, { id: 'int_z' })]), interaction(2, turn(2, { id: 'int_a' })));
  assert.deepEqual(state.interactions.map((item) => item.id), ['int_z', 'int_a']);
});

test('earlier turns are added before the live ones, and survive a full state of the same epoch', () => {
  const live = [turn(8), turn(9)];
  const state = after(full(5, live, { interactions_total: 9 }));
  const { state: grown, changed } = add_earlier(state, [turn(8, { error: 'older reading' }), turn(7), turn(6)]);
  assert.deepEqual(changed, { session: false, interactions: ['int_7', 'int_6'], order: true });
  assert.deepEqual(grown.interactions.map((item) => item.ordinal), [6, 7, 8, 9]);
  assert.equal(grown.interactions[2].error, '');
  const again = apply_frame(grown, full(5, live, { interactions_total: 9 }));
  assert.equal(again.state.interactions, grown.interactions);
  const risen = apply_frame(grown, { ...full(1, live), epoch: 2 });
  assert.deepEqual(risen.state.interactions.map((item) => item.ordinal), [8, 9]);
});

test('an event about a turn older than what is shown moves the position only', () => {
  const state = after(full(5, [turn(8)], { interactions_total: 8 }));
  const updated = apply_frame(state, interaction(6, turn(3)));
  const patched = apply_frame(updated.state, patch(7, 'int_2', [[0, 0, 'x', 1]], 1));
  assert.equal(patched.state.seq, 7);
  assert.equal(patched.state.interactions, state.interactions);
});

test('a tool call keeps its name while its status changes; an entry that becomes text loses both', () => {
  const tool = { type: 'tool_call', content: 'ls', message_id: '1', tool_name: 'ls', tool_status: 'In Progress' };
  const base = { index: 0, message_id: '1', patch: '', patch_offset: 2, total_length: 2 };
  const [done] = patch_entries([tool], [{ ...base, type: 'tool_call', tool_status: 'Completed' }], 1);
  assert.deepEqual([done.tool_name, done.tool_status, done.content], ['ls', 'Completed', 'ls']);
  const [text] = patch_entries([tool], [{ ...base, type: 'text' }], 1);
  assert.deepEqual(text, { type: 'text', content: 'ls', message_id: '1' });
});

test('what is not an event of ours is ignored', () => {
  const state = after(full(5, [turn(1)]));
  const frames = [null, 7, {}, { type: 'config_changed', field: 'agent' }, { type: 'interaction_patch', epoch: 1 }];
  for (const frame of frames) {
    assert.equal(apply_frame(state, frame).verdict, 'ignored');
  }
});
