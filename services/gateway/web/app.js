// The page: signing in, the list of sessions, and which session is open (kept in the address after `#`).

import { api_client, api_error } from './api.js';
import { backoff_ms } from './backoff.js';
import { render_error, render_sessions } from './render.js';
import { session_view } from './session_view.js';

const token_key = 'throughline.token';
const list_every_ms = 15_000;
const open_pattern = /^#\/sessions\/(ses_[0-9a-z]+)$/;

const by_id = (id) => document.getElementById(id);
const page = { api: null, view: null, sessions: [], list_timer: null };

function show(view) {
  document.body.dataset.view = view;
  by_id('sign-in').hidden = view !== 'sign-in';
  by_id('console').hidden = view === 'sign-in';
  by_id('session').hidden = view !== 'session';
  by_id('nothing-open').hidden = view !== 'sessions';
}

function sign_out(message) {
  sessionStorage.removeItem(token_key);
  page.view?.stop();
  clearTimeout(page.list_timer);
  Object.assign(page, { api: null, view: null, sessions: [] });
  render_sessions([], null);
  render_error('sign-in-error', message);
  show('sign-in');
  by_id('token').focus();
}

async function sign_in(token) {
  const api = new api_client(token);
  try {
    const { sessions } = await api.list_sessions();
    page.view?.stop();
    page.view = null;
    sessionStorage.setItem(token_key, token);
    by_id('token').value = '';
    page.api = api;
    page.sessions = sessions;
    list_later(list_every_ms + backoff_ms(6));
    route();
  } catch (error) {
    if (!(error instanceof api_error)) throw error;
    if (error.status === 401) sign_out('This token is not valid, or has expired.');
    else render_error('sign-in-error', error.message);
    show('sign-in');
  }
}

function list_later(ms) {
  clearTimeout(page.list_timer);
  page.list_timer = setTimeout(refresh_list, ms);
}

async function refresh_list() {
  const { api } = page;
  if (api === null) return;
  if (document.visibilityState === 'hidden') return list_later(list_every_ms);
  try {
    const { sessions } = await api.list_sessions();
    if (page.api !== api) return;
    page.sessions = sessions;
    render_sessions(sessions, page.view?.id ?? null);
    list_later(list_every_ms + backoff_ms(6));
  } catch (error) {
    if (!(error instanceof api_error)) throw error;
    if (page.api !== api) return;
    if (error.status === 401) sign_out('Your token has expired. Sign in with a new one.');
    else list_later(list_every_ms);
  }
}

function route() {
  if (page.api === null) return;
  const id = open_pattern.exec(location.hash)?.[1] ?? null;
  if (page.view?.id !== id) {
    page.view?.stop();
    page.view = id === null ? null : new session_view(id, page.api, { on_left: left, on_session: show_in_list });
  }
  render_sessions(page.sessions, id);
  show(id === null ? 'sessions' : 'session');
}

// The open session is known better than its line in the list, and without another request: a thousand pages that watch
// one session must not ask for their lists at the same moment.
function show_in_list({ id, name, agent }) {
  page.sessions = page.sessions.map((item) => (item.id === id ? { ...item, name, agent } : item));
  render_sessions(page.sessions, page.view?.id ?? null);
}

function left(reason) {
  if (reason === 'token') return sign_out('Your token has expired or was revoked. Sign in with a new one.');
  page.view = null;
  location.hash = '#/';
  list_later(0);
}

// A link may carry the token after `#`, which browsers keep to themselves; it is taken out of the address at once.
function token_from_address() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const token = parameters.get('token');
  if (token === null) return null;
  const open_id = parameters.get('session');
  history.replaceState(null, '', open_id === null ? '#/' : `#/sessions/${open_id}`);
  return token;
}

function start() {
  by_id('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    sign_in(by_id('token').value.trim());
  });
  by_id('sign-out').addEventListener('click', () => sign_out(null));
  by_id('new-session').addEventListener('click', async () => {
    const session = await page.api.create_session('New session');
    location.hash = `#/sessions/${session.id}`;
    list_later(0);
  });
  by_id('earlier').addEventListener('click', () => page.view?.show_earlier());
  by_id('stop').addEventListener('click', () => page.view?.cancel());
  by_id('composer').addEventListener('submit', send_prompt);
  by_id('prompt').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    by_id('composer').requestSubmit();
  });
  window.addEventListener('hashchange', () => {
    const token = token_from_address();
    if (token === null) route();
    else sign_in(token);
  });
  const token = token_from_address() ?? sessionStorage.getItem(token_key);
  if (token === null) show('sign-in');
  else sign_in(token);
}

async function send_prompt(event) {
  event.preventDefault();
  const { view } = page;
  const prompt = by_id('prompt');
  const content = prompt.value;
  if (view === null || content.trim() === '') return;
  prompt.value = '';
  by_id('send').disabled = true;
  const is_sent = await view.send(content);
  by_id('send').disabled = false;
  if (!is_sent && prompt.value === '') prompt.value = content;
}

start();
