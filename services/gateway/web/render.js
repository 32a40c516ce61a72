// Shows the state of a session. Called with the state before and after; touches only what differs between the two.

import { element, render_list, set_attribute, set_hidden, set_text } from './dom.js';
import { running_interaction } from './state.js';

const state_words = { waiting: 'Answering', complete: 'Complete', error: 'Failed', interrupted: 'Stopped' };
const agent_words = { ready: 'Agent ready', online: 'Agent starting', offline: 'Agent offline' };
const near_end_px = 80;

const by_id = (id) => document.getElementById(id);

export function render_session(before, after, on_cancel) {
  const transcript = by_id('transcript');
  const was_at_end = transcript.scrollHeight - transcript.scrollTop - transcript.clientHeight < near_end_px;
  if (before.session !== after.session || before.total !== after.total) render_head(after, on_cancel);
  if (before.interactions !== after.interactions) render_turns(before, after);
  set_text(by_id('position'), after.session === null ? '' : `${after.epoch}:${after.seq}`);
  if (was_at_end && before.interactions !== after.interactions) transcript.scrollTop = transcript.scrollHeight;
}

function render_head({ session, interactions, total }, on_cancel) {
  set_text(by_id('session-name'), session?.name || 'Untitled session');
  const status = session?.agent?.status ?? 'offline';
  set_attribute(by_id('agent'), 'data-status', status);
  set_text(by_id('agent'), agent_words[status] ?? status);
  const queue = session?.queue ?? [];
  render_list(by_id('queue'), queue, (item) => item.interaction_id,
    (item) => create_queued(item, on_cancel), (node, item) => set_text(node.firstElementChild, item.content));
  set_hidden(by_id('queue'), queue.length === 0);
  set_hidden(by_id('earlier'), total <= interactions.length);
  set_hidden(by_id('empty'), total > 0 || queue.length > 0 || session === null);
}

function create_queued(item, on_cancel) {
  const button = element('button', { type: 'button', class: 'quiet' }, 'Remove');
  button.addEventListener('click', () => on_cancel(item.interaction_id));
  return element('li', { class: 'queued' }, element('span'), button);
}

function render_turns(before, after) {
  render_list(by_id('turns'), after.interactions, (item) => item.id, create_turn, update_turn);
  const running = running_interaction(after);
  set_hidden(by_id('stop'), running === null);
  set_hidden(by_id('earlier'), after.total <= after.interactions.length);
  const ended = running_interaction(before);
  if (ended !== null && running?.id !== ended.id) {
    const outcome = after.interactions.find((item) => item.id === ended.id);
    if (outcome) set_text(by_id('announcement'), `The answer is ${state_words[outcome.state].toLowerCase()}.`);
  }
}

function create_turn(item) {
  return element('article', { class: 'turn', 'data-id': item.id },
    element('p', { class: 'prompt' }),
    element('div', { class: 'entries' }),
    element('footer', { class: 'outcome' }, element('span', { class: 'state' }), element('span', { class: 'reason' })));
}

function update_turn(node, item) {
  const [prompt, entries, outcome] = node.children;
  set_attribute(node, 'data-state', item.state);
  set_attribute(node, 'aria-busy', item.state === 'waiting' ? 'true' : null);
  set_text(prompt, item.prompt_message ?? '');
  set_hidden(prompt, !item.prompt_message);
  const received = item.response_entries ?? [];
  render_list(entries, received, (entry, index) => `${index} ${entry.type}`, create_entry, update_entry);
  set_text(outcome.children[0], state_words[item.state] ?? item.state);
  set_text(outcome.children[1], item.state === 'complete' ? '' : [item.error, item.error_code].find(Boolean) ?? '');
}

function create_entry(entry) {
  if (entry.type !== 'tool_call') return element('div', { class: 'entry text' });
  const summary = element('summary', {}, element('span', { class: 'tool' }), element('span', { class: 'tool-status' }));
  return element('details', { class: 'entry tool_call' }, summary, element('pre'));
}

function update_entry(node, entry) {
  if (entry.type !== 'tool_call') {
    set_text(node, entry.content);
    return;
  }
  const [summary, body] = node.children;
  set_text(summary.children[0], entry.tool_name || 'Tool');
  set_text(summary.children[1], entry.tool_status ?? '');
  set_attribute(node, 'data-status', entry.tool_status ?? '');
  set_text(body, entry.content);
}

function create_session_line() {
  return element('li', {}, element('a', {}, element('span', { class: 'name' }), element('span', { class: 'agent' })));
}

/** Shows the list of sessions; `open_id` is marked as the current one. */
export function render_sessions(sessions, open_id) {
  render_list(by_id('session-list'), sessions, (item) => item.id, create_session_line, (node, item) => {
    const link = node.firstElementChild;
    set_attribute(link, 'href', `#/sessions/${item.id}`);
    set_text(link.children[0], item.name || 'Untitled session');
    const status = item.agent?.status ?? 'offline';
    set_attribute(link.children[1], 'data-status', status);
    set_text(link.children[1], agent_words[status] ?? status);
  });
  for (const link of by_id('session-list').querySelectorAll('a')) {
    const is_open = open_id !== null && link.getAttribute('href').endsWith(open_id);
    set_attribute(link, 'aria-current', is_open ? 'page' : null);
  }
  set_hidden(by_id('sessions-empty'), sessions.length > 0);
}

/** Shows how the socket stands. */
export function render_connection(status, retry_in_ms) {
  const seconds = Math.round(retry_in_ms / 1000);
  const when = seconds > 1 ? `trying again in ${seconds} s` : 'trying again …';
  const words = { idle: '', connecting: 'Connecting …', live: 'Live', waiting: `Connection lost, ${when}` };
  const node = by_id('connection');
  set_attribute(node, 'data-status', status);
  set_text(node, words[status]);
}

/** Shows an error line, or with null hides it. */
export function render_error(id, message) {
  set_text(by_id(id), message ?? '');
  set_hidden(by_id(id), message === null);
}
