// The page on the real system: a scripted agent answers, processes are killed, and the person watching loses nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { with_page } from './browser.mjs';
import { observe_mutations, recorded_mutations } from './observe.mjs';
import { local_system, until } from './system.mjs';

let system;
before(async () => { system = await local_system.start(); });
after(async () => {
  if (system) assert.equal(await system.stop(), 0, system.output);
});

async function open_demo(page) {
  await page.goto(system.link);
  await page.waitForSelector('#connection[data-status="live"]');
  await page.waitForSelector('#agent[data-status="ready"]', { timeout: 30_000 });
}

async function ask(page, prompt) {
  const turns = await page.locator('.turn').count();
  await page.fill('#prompt', prompt);
  await page.press('#prompt', 'Enter');
  await page.waitForSelector(`.turn:nth-child(${turns + 1})`);
  return page.locator(`.turn:nth-child(${turns + 1})`);
}

const shown = (turn) => turn.locator('.entry').evaluateAll((nodes) => nodes.map((node) => (
  node.tagName === 'DETAILS' ? node.querySelector('pre').textContent : node.textContent)));

async function stored(index) {
  const { interactions } = await system.api(`/sessions/${system.session_id}/interactions`);
  return interactions.at(index);
}

for (const service of ['state-sync', 'gateway']) {
  test(`an answer streams through a kill -9 of ${service} and ends whole`, () => with_page({}, async (page) => {
    await open_demo(page);
    const turn = await ask(page, 'Tell me something');
    await turn.locator('.entry:has-text("Piece 3.")').waitFor();
    await system.kill(service);
    await page.waitForSelector('.turn:last-child[data-state="complete"]', { timeout: 60_000 });
    const expected = Array.from({ length: 24 }, (_, index) => `Piece ${index + 1}. `).join('');
    const entries = await shown(turn);
    assert.ok(entries.at(-1).includes(expected), entries.at(-1));
    assert.deepEqual(entries, (await stored(-1)).response_entries.map((entry) => entry.content));
    assert.ok(entries.join('').includes('🤔'));
  }));
}

test('the full state that a new socket begins with touches nothing on the page', () => with_page({}, async (page) => {
  let full_states = 0;
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => {
    if (JSON.parse(payload).session?.interactions) full_states += 1;
  }));
  await open_demo(page);
  await (await ask(page, 'Hello')).locator('.entry').first().waitFor();
  await page.waitForSelector('.turn:last-child[data-state="complete"]', { timeout: 60_000 });
  await observe_mutations(page);
  const before = full_states;
  await system.kill('gateway');
  await until(() => full_states > before, 'a full state on a new socket');
  await page.waitForSelector('#connection[data-status="live"]');
  assert.deepEqual(await recorded_mutations(page), []);
}));

test('the page shows what a person asks to stop as stopped', () => with_page({}, async (page) => {
  await open_demo(page);
  const turn = await ask(page, 'A long story please');
  await turn.locator('.entry:has-text("Here we go: 1")').waitFor();
  await page.click('#stop');
  await page.waitForSelector('.turn:last-child[data-state="interrupted"]', { timeout: 30_000 });
  assert.equal((await stored(-1)).state, 'interrupted');
}));
