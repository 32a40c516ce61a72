// The gateway's HTTP API, as the page uses it. Every call ends: with its JSON, or with an `api_error`.

import { backoff_ms, sleep } from './backoff.js';

export class api_error extends Error {
  /** `status` is 0 when no answer came. */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// An answer that says "not now": the same request may be repeated, since each carries an id that acts once.
const passing = new Set([0, 429, 502, 503, 504]);
const attempts_max = 8;

export class api_client {
  constructor(token, fetch_function = (...args) => fetch(...args)) {
    this.token = token;
    this.fetch_ = fetch_function;
  }

  list_sessions() {
    return this.repeat('GET', '/sessions?page=0&per_page=50');
  }

  read_session(id) {
    return this.once('GET', `/sessions/${encodeURIComponent(id)}?skipInteractions=1`);
  }

  create_session(name) {
    return this.repeat('POST', '/sessions', { name }, random_id());
  }

  /** Newest first, `page` counted from the newest. */
  read_interactions(id, page, per_page) {
    const query = `page=${page}&per_page=${per_page}&order=desc`;
    return this.repeat('GET', `/sessions/${encodeURIComponent(id)}/interactions?${query}`);
  }

  post_message(id, content) {
    return this.repeat('POST', `/sessions/${encodeURIComponent(id)}/messages`, { content, id: random_id() });
  }

  cancel(id, interaction_id) {
    return this.repeat('POST', `/sessions/${encodeURIComponent(id)}/cancel`, { interaction_id }, random_id());
  }

  async repeat(method, path, body, idempotency_key) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.once(method, path, body, idempotency_key);
      } catch (error) {
        if (!passing.has(error.status) || error.code === 'queue_full' || attempt + 1 >= attempts_max) throw error;
        await sleep(backoff_ms(attempt));
      }
    }
  }

  async once(method, path, body, idempotency_key) {
    const headers = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (idempotency_key !== undefined) headers['Idempotency-Key'] = idempotency_key;
    const options = { method, headers, credentials: 'omit', cache: 'no-store' };
    if (body !== undefined) options.body = JSON.stringify(body);
    let response;
    let answer;
    try {
      response = await this.fetch_(`/api/v1${path}`, options);
      answer = await response.json();
    } catch {
      throw new api_error(response?.ok === false ? response.status : 0, 'no_answer', 'The server did not answer.');
    }
    if (response.ok) return answer;
    const { code = 'unknown', message = `HTTP ${response.status}` } = answer?.error ?? {};
    throw new api_error(response.status, code, message);
  }
}

// `crypto.randomUUID` exists in secure contexts only, and this page may be served over plain HTTP in a private network.
function random_id() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
