import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { with_page } from './browser.mjs';
import { fake_gateway, good_token } from './fake_gateway.mjs';
import {
  full, interaction, patch, session_changed, session_id, text_entry, turn,
} from './frames.mjs';
import { observe_mutations, recorded_mutations } from './observe.mjs';

let gateway;
before(async () => { gateway = await fake_gateway.start(); });
after(() => gateway.stop());

// Opens the session signed in. Answers the server's side of each user socket, greeted by `greet(socket, count)`.
async function open_session(page, greet) {
  const sockets = [];
  await page.routeWebSocket(/\/api\/v1\/ws\/user/, (socket) => {
    sockets.push(socket);
    greet(socket, sockets.length);
  });
  await page.goto(`${gateway.url}/#token=${good_token}&session=${session_id}`);
  await page.waitForSelector('#connection[data-status="live"]');
  return sockets;
}

const send = (socket, ...frames) => frames.forEach((frame) => socket.send(JSON.stringify(frame)));
const entries = (page) => page.locator('.turn:last-child .entry').allInnerTexts();
const running = (...contents) => turn(1, {
  state: 'waiting', response_entries: contents.map((content, index) => text_entry(content, String(index + 1))),
});

test('a wrong token is told, a good one signs in and is kept for the tab only', () => with_page({}, async (page) => {
  await page.goto(gateway.url);
  await page.fill('#token', 'a-bad-token');
  await page.click('button:text("Sign in")');
  await page.waitForSelector('#sign-in-error:text("not valid")');
  await page.fill('#token', good_token);
  await page.click('button:text("Sign in")');
  await page.waitForSelector('#session-list a:has-text("Demo")');
  const kept = () => [Object.values(sessionStorage), Object.values(localStorage), document.cookie];
  assert.deepEqual(await page.evaluate(kept), [[good_token], [], '']);
  await page.click('#sign-out');
  await page.waitForSelector('#sign-in:visible');
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
}));

test('a token in the link signs in and leaves the address', () => with_page({}, async (page) => {
  await open_session(page, (socket) => send(socket, full(1, [])));
  assert.equal(new URL(page.url()).hash, `#/sessions/${session_id}`);
  await page.waitForSelector('#empty:visible');
}));

test('an answer streams in, with a tool call and astral characters', () => with_page({}, async (page) => {
  const [socket] = await open_session(page, (it) => send(it, full(1, [])));
  const tool = { index: 1, message_id: '2', type: 'tool_call', patch: 'ls -l', patch_offset: 0, total_length: 5 };
  send(socket, interaction(2, running()), patch(3, 'int_1', [[0, 0, 'Sun 🌞', 6]], 1),
    patch(4, 'int_1', [[0, 6, '!', 7]], 1),
    patch(5, 'int_1', [{ ...tool, tool_name: 'ls', tool_status: 'In Progress' }], 2));
  await page.waitForSelector('.turn[data-state="waiting"] .tool_call:has-text("In Progress")');
  assert.equal((await entries(page))[0], 'Sun 🌞!');
  await page.waitForSelector('#stop:visible');
  const listed = { type: 'tool_call', content: 'ls -l', message_id: '2', tool_name: 'ls', tool_status: 'Completed' };
  send(socket, interaction(6, turn(1, { response_entries: [text_entry('Sun 🌞!'), listed] })));
  await page.waitForSelector('.turn[data-state="complete"] .tool_call:has-text("Completed")');
  await page.waitForSelector('#stop', { state: 'hidden' });
  assert.equal(await page.textContent('#position'), '1:6');
}));

test('a repeated full state touches no node; a real change touches only its own', () => with_page({}, async (page) => {
  const with_answers = (...answers) => full(5, answers.map((answer, index) => (
    turn(index + 1, { response_entries: [text_entry(answer)] }))));
  const state = with_answers('first', 'second');
  const [socket] = await open_session(page, (it) => send(it, state));
  await page.waitForSelector('.turn:nth-child(2) .entry');
  await observe_mutations(page);
  send(socket, state, state);
  assert.deepEqual(await recorded_mutations(page), []);
  send(socket, with_answers('first', 'second, longer'));
  await page.waitForSelector('.entry:text("second, longer")');
  const touched = await recorded_mutations(page);
  assert.deepEqual(touched, ['characterData  DIV#.entry text']);
}));

test('a selection and an opened tool call survive the stream', () => with_page({}, async (page) => {
  const tool = { type: 'tool_call', content: 'ls', message_id: '2', tool_name: 'ls', tool_status: 'In Progress' };
  const item = turn(1, { state: 'waiting', response_entries: [text_entry('select me'), tool] });
  const [socket] = await open_session(page, (it) => send(it, full(1, [item])));
  await page.click('.tool_call summary');
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('.entry.text')));
  send(socket, patch(2, 'int_1', [[0, 9, ' and more', 18]], 2));
  await page.waitForSelector('.entry:text("and more")');
  assert.match(await page.evaluate(() => getSelection().toString()), /^select me/);
  assert.equal(await page.getAttribute('.tool_call', 'open'), '');
}));

test('a hole leads to another socket and the full state', () => with_page({}, async (page) => {
  const states = [full(1, [running('a')]), full(9, [running('abc')])];
  const sockets = await open_session(page, (it, count) => send(it, states[count - 1]));
  send(sockets[0], patch(4, 'int_1', [[0, 2, 'c', 3]], 1));
  await page.waitForSelector('.entry:text-is("abc")');
  assert.equal(sockets.length, 2);
}));

test('a cut connection is said, and comes back by itself', () => with_page({}, async (page) => {
  const sockets = await open_session(page, (it, count) => {
    if (count === 2) it.close({ code: 1001 });
    else send(it, full(count, [running(`state ${count}`)]));
  });
  const statuses = page.evaluate(() => new Promise((done) => {
    const seen = [];
    const node = document.querySelector('#connection');
    new MutationObserver(() => {
      if (seen.at(-1) !== node.dataset.status) seen.push(node.dataset.status);
      if (seen.at(-1) === 'live') done(seen);
    }).observe(node, { attributes: true });
  }));
  await sockets[0].close({ code: 1001 });
  assert.deepEqual(await statuses, ['waiting', 'connecting', 'waiting', 'connecting', 'live']);
  await page.waitForSelector('.entry:text-is("state 3")');
  assert.equal(await page.locator('.turn').count(), 1);
}));

for (const [code, where] of [[4401, '#sign-in-error:text("expired")'], [4404, '#nothing-open:visible']]) {
  test(`a socket closed ${code} is not tried again`, () => with_page({}, async (page) => {
    const sockets = await open_session(page, (it) => send(it, full(1, [])));
    await sockets[0].close({ code });
    await page.waitForSelector(where);
    assert.equal(sockets.length, 1);
  }));
}

test('a prompt that was not accepted is repeated under its id', () => with_page({}, async (page) => {
  await open_session(page, (it) => send(it, full(1, [])));
  gateway.refusals = [503, 504];
  gateway.posted = [];
  await page.fill('#prompt', 'Hello 👋');
  await page.press('#prompt', 'Enter');
  await page.waitForSelector('#send:enabled');
  const { posted } = gateway;
  assert.equal(posted.length, 3);
  assert.equal(new Set(posted.map(({ body }) => body.id)).size, 1);
  assert.deepEqual(posted.map(({ body }) => body.content), ['Hello 👋', 'Hello 👋', 'Hello 👋']);
  assert.equal(await page.inputValue('#prompt'), '');
}));

test('queued prompts and the running turn can be cancelled', () => with_page({}, async (page) => {
  const queued = { prompt_id: 'p', interaction_id: 'int_q', content: 'next please', interrupt: false, created: '' };
  const [socket] = await open_session(page, (it) => send(it, full(1, [running('working')], { queue: [queued] })));
  gateway.posted = [];
  for (const button of ['.queued:has-text("next please") button', '#stop']) {
    await Promise.all([page.waitForResponse(/\/cancel$/), page.click(button)]);
  }
  send(socket, session_changed(2, { queue: [], interactions_total: 1 }));
  await page.waitForSelector('#queue', { state: 'hidden' });
  assert.deepEqual(gateway.posted.map(({ body }) => body.interaction_id), ['int_q', 'int_1']);
}));

test('the page fits a phone, in the light and in the dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const options = { viewport: { width: 360, height: 640 }, colorScheme };
    await with_page(options, async (page) => {
      const long = 'x'.repeat(400);
      const item = turn(1, { prompt_message: long, response_entries: [text_entry(long)] });
      await open_session(page, (it) => send(it, full(1, [item], { name: long })));
      await page.waitForSelector('.turn');
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is cut off');
      assert.equal(await page.locator('.sessions').isVisible(), false);
      await page.click('.back');
      await page.waitForSelector('#session-list a:visible');
    });
  }
});
