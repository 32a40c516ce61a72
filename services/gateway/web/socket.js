// The user socket of one session: opens it, keeps it open, and says how it stands. What frames mean is not its matter.

import { backoff_ms } from './backoff.js';

const close_token_refused = 4401;
const close_session_gone = 4404;
// A socket that lived this long was healthy: the next wait starts small again.
const healthy_after_ms = 5_000;
// The first frame is the full state. A server that accepts and stays silent is left for another attempt.
const first_frame_within_ms = 15_000;
// A refusal that lasts is asked about now and then, not with every attempt of every page.
const ask_every_attempts = 4;

/**
 * Owned by the open session view; `stop()` ends it for good.
 * `on_status(status, retry_in_ms)`: `connecting`, `live` (a frame arrived on this socket) or `waiting`.
 * `on_refused()` is asked after a connection that never opened, since a browser cannot see why; it answers `stop` or
 * `retry`. `on_ended(reason)`: `token` or `gone`; nothing is tried afterwards.
 */
export class session_socket {
  constructor(session_id, token, handlers) {
    this.session_id_ = session_id;
    this.token_ = token;
    this.handlers_ = handlers;
    this.attempt_ = 0;
    this.socket_ = null;
    this.timer_ = null;
    this.stopped_ = false;
    this.wake_ = () => this.retry_now();
    window.addEventListener('online', this.wake_);
    document.addEventListener('visibilitychange', this.wake_);
    this.open();
  }

  stop() {
    this.stopped_ = true;
    clearTimeout(this.timer_);
    window.removeEventListener('online', this.wake_);
    document.removeEventListener('visibilitychange', this.wake_);
    this.drop();
  }

  /** Leaves the socket and opens another one, which begins with the full state. */
  restart() {
    this.drop();
    this.wait();
  }

  retry_now() {
    if (this.stopped_ || this.socket_ !== null || document.visibilityState === 'hidden') return;
    clearTimeout(this.timer_);
    this.open();
  }

  open() {
    const url = new URL('/api/v1/ws/user', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('session_id', this.session_id_);
    url.searchParams.set('access_token', this.token_);
    this.handlers_.on_status('connecting', 0);
    const socket = new WebSocket(url);
    this.socket_ = socket;
    let opened_at = null;
    let is_live = false;
    this.timer_ = setTimeout(() => this.restart(), first_frame_within_ms);
    socket.onopen = () => { opened_at = performance.now(); };
    socket.onmessage = ({ data }) => {
      if (!is_live) {
        is_live = true;
        clearTimeout(this.timer_);
        this.handlers_.on_status('live', 0);
      }
      const frame = parse(data);
      if (frame !== null) this.handlers_.on_frame(frame);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(this.timer_);
      this.socket_ = null;
      if (opened_at !== null && performance.now() - opened_at > healthy_after_ms) this.attempt_ = 0;
      this.closed(code, opened_at !== null);
    };
  }

  async closed(code, was_open) {
    if (code === close_token_refused) return this.end('token');
    if (code === close_session_gone) return this.end('gone');
    this.wait();
    const ask = !was_open && this.attempt_ % ask_every_attempts === 1;
    if (ask && await this.handlers_.on_refused() === 'stop') this.stop();
  }

  wait() {
    if (this.stopped_) return;
    const ms = backoff_ms(this.attempt_);
    this.attempt_ += 1;
    this.handlers_.on_status('waiting', ms);
    clearTimeout(this.timer_);
    this.timer_ = setTimeout(() => this.open(), ms);
  }

  end(reason) {
    this.stop();
    this.handlers_.on_ended(reason);
  }

  drop() {
    const socket = this.socket_;
    this.socket_ = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(1000);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
