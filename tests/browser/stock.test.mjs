// A stock page's socket (reconnecting-websocket with its patch rules) through kills of every part: it ends with exactly
// what GET /interactions returns.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { apply_patch, entries_sha256, stock_page, text_of } from './stock_page.mjs';
import { local_system, until } from './system.mjs';

let system;
before(async () => { system = await local_system.start(); });
after(async () => {
  if (system) assert.equal(await system.stop(), 0, system.output);
});

test('the patch rule counts UTF-16 units and takes an offset of 0', () => {
  assert.equal(apply_patch('Hello', 'World!!', 0, 7), 'World!!');
  assert.equal(apply_patch('✅ Tool: Running', 'Finished', 8, 16), '✅ Tool: Finished');
  assert.equal(apply_patch('📤 desktop/Status: Pending', 'Complete', 19, 27), '📤 desktop/Status: Complete');
  assert.equal(apply_patch('shorter now', '', 7, 7), 'shorter');
});

async function interactions() {
  return (await system.api(`/sessions/${system.session_id}/interactions?per_page=1000`)).interactions;
}

/** Repeated under one id until it is decided. */
async function post(what, body) {
  let answer;
  const key = randomUUID();
  await until(async () => {
    const response = await fetch(`${system.url}/api/v1/sessions/${system.session_id}/${what}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${system.token}`, 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: JSON.stringify(body),
    });
    answer = { code: response.status, ...await response.json() };
    return answer.code < 500;
  }, `${what} is decided`);
  assert.ok(answer.code < 300, JSON.stringify(answer));
  return answer;
}

function assert_same(page, stored) {
  assert.deepEqual(page.breaches, []);
  assert.deepEqual(page.cached, stored.slice(-page.cached.length));
  for (const one of page.cached) {
    assert.equal(one.response_message, text_of(one.response_entries));
    assert.equal(one.entries_sha256, entries_sha256(one.response_entries));
  }
}

async function ends(page, id, state = 'complete') {
  const ended = () => page.cached.some((one) => one.id === id && one.state !== 'waiting');
  await until(ended, 'the turn ends on the page', 90_000);
  const stored = (await interactions()).find((one) => one.id === id);
  assert.equal(stored.state, state);
}

async function open_page(context) {
  const page = new stock_page(system.url, system.session_id, system.token);
  context.after(() => page.close());
  await until(() => page.opened === 1, 'the page is open');
  return page;
}

test('an answer arrives by patches alone', async (context) => {
  const page = await open_page(context);
  await ends(page, (await post('messages', { content: 'Hello' })).interaction_id);
  assert_same(page, await interactions());
  assert.equal(page.compared, 1, 'patches and end of one turn');
});

const stories = [
  { parts: ['gateway', 'gateway', 'gateway'], prompt: 'A long story', end: 'interrupted' },
  { parts: ['state-sync', 'nats'], prompt: 'A long story', end: 'interrupted' },
  { parts: ['postgres'], prompt: 'Tell me something', end: 'complete' },
  { parts: ['agent-bridge'], prompt: 'Tell me something', end: 'complete' },
];
for (const { parts, prompt, end } of stories) {
  test(`an answer through kills of ${parts.join(', ')}`, async (context) => {
    const pages = [await open_page(context), await open_page(context)];
    const [page] = pages;
    const id = (await post('messages', { content: prompt })).interaction_id;
    for (const part of parts) {
      const before = page.shown(id).length;
      await until(() => page.shown(id).length > before, 'more of the answer');
      const opened = page.opened;
      await system.kill(part);
      if (part === 'gateway') await until(() => pages.every((one) => one.opened > opened), 'both pages are back');
    }
    if (end === 'interrupted') {
      const before = page.shown(id).length;
      await until(() => page.shown(id).length > before, 'more after the last kill');
      assert.equal((await post('cancel', { interaction_id: id })).status, 'cancelled');
    }
    await Promise.all(pages.map((one) => ends(one, id, end)));
    const late = await open_page(context);
    await until(() => late.cached.length > 0, 'a first state');
    const stored = await interactions();
    for (const one of [...pages, late]) assert_same(one, stored);
  });
}
