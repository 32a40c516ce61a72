// Serves the page and answers its requests from literals, so that a test can send the page any frame it likes.
// The user socket is taken over in the browser (playwright's routeWebSocket).

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import { session, session_id } from './frames.mjs';

const web = new URL('../../services/gateway/web/', import.meta.url);
const types = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
// The gateway's own policy.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
  + "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const good_token = 'a-good-token';

export class fake_gateway {
  static async start() {
    const gateway = new fake_gateway();
    gateway.server_ = createServer((request, response) => gateway.answer(request, response));
    await new Promise((done) => { gateway.server_.listen(0, '127.0.0.1', done); });
    gateway.url = `http://127.0.0.1:${gateway.server_.address().port}`;
    gateway.posted = [];
    /** Statuses to answer the next posts with, instead of taking them. */
    gateway.refusals = [];
    return gateway;
  }

  stop() {
    this.server_.closeAllConnections();
    return new Promise((done) => { this.server_.close(done); });
  }

  async answer(request, response) {
    const path = new URL(request.url, this.url).pathname;
    if (!path.startsWith('/api/')) return this.answer_file(path === '/' ? 'index.html' : path.slice(1), response);
    let body = '';
    for await (const part of request) body += part;
    if (request.headers.authorization !== `Bearer ${good_token}`) return json(response, 401, 'unauthorized');
    if (path === '/api/v1/sessions') {
      return json(response, 200, { sessions: [session()], page: 0, pageSize: 50, totalCount: 1, totalPages: 1 });
    }
    if (request.method === 'POST') {
      this.posted.push({ path, body: JSON.parse(body) });
      const refusal = this.refusals.shift();
      return refusal ? json(response, refusal, 'not_accepted') : json(response, 202, { status: 'cancelled' });
    }
    if (path === `/api/v1/sessions/${session_id}`) return json(response, 200, session());
    return json(response, 404, 'not_found');
  }

  async answer_file(name, response) {
    try {
      const content = await readFile(new URL(name, web));
      response.writeHead(200, {
        'Content-Type': types[name.split('.').at(-1)], 'Content-Security-Policy': policy,
      });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }
}

function json(response, status, value) {
  const body = typeof value === 'string' ? { error: { code: value, message: `refused: ${value}` } } : value;
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
