// The open session: its state, its socket, and the actions of the person. One object per opened session.

import { api_error } from './api.js';
import { render_connection, render_error, render_session } from './render.js';
import { session_socket } from './socket.js';
import { add_earlier, apply_frame, empty_state, running_interaction } from './state.js';

const page_size = 50;

export class session_view {
  /** `on_left(reason)`: `token` or `gone`. `on_session(session)`: the session has another name, agent or queue. */
  constructor(id, api, { on_left, on_session }) {
    this.id = id;
    this.api_ = api;
    this.on_left_ = on_left;
    this.on_session_ = on_session;
    this.state_ = empty_state();
    this.shown_ = empty_state();
    this.frame_request_ = null;
    this.stopped_ = false;
    render_session({ session: undefined, total: -1, interactions: [] }, this.state_, () => {});
    render_error('session-error', null);
    this.socket_ = new session_socket(id, api.token, {
      on_frame: (frame) => this.take(frame),
      on_status: render_connection,
      on_refused: () => this.why_refused(),
      on_ended: (reason) => this.leave(reason),
    });
  }

  stop() {
    this.stopped_ = true;
    this.socket_.stop();
    clearTimeout(this.frame_request_);
    cancelAnimationFrame(this.frame_request_);
    render_connection('idle', 0);
  }

  take(frame) {
    if (frame.session_id !== this.id) return;
    const { state, changed, verdict } = apply_frame(this.state_, frame);
    this.set(state);
    if (verdict === 'hole') this.socket_.restart();
    if (changed.session && state.session !== null) this.on_session_(state.session);
    const is_full = frame.type === 'session_update' && Array.isArray(frame.session?.interactions);
    if (is_full) this.refresh_earlier();
  }

  // Frames may come faster than the screen: whatever arrived since the last one is drawn at once.
  set(state) {
    this.state_ = state;
    if (this.frame_request_ !== null) return;
    const draw = () => {
      this.frame_request_ = null;
      const before = this.shown_;
      this.shown_ = this.state_;
      render_session(before, this.shown_, (interaction_id) => this.cancel(interaction_id));
    };
    this.frame_request_ = document.visibilityState === 'hidden' ? setTimeout(draw, 250) : requestAnimationFrame(draw);
  }

  send(content) {
    return this.act(() => this.api_.post_message(this.id, content));
  }

  cancel(interaction_id = running_interaction(this.state_)?.id) {
    return this.act(() => this.api_.cancel(this.id, interaction_id));
  }

  show_earlier() {
    return this.act(() => this.read_earlier(this.state_.interactions.length, this.state_.interactions.length + 1));
  }

  // Turns older than the live window may have changed while the socket was away.
  refresh_earlier() {
    const { interactions, complete_from } = this.state_;
    const live = interactions.filter((item) => item.ordinal >= complete_from).length;
    if (live < interactions.length) this.act(() => this.read_earlier(live, interactions.length));
  }

  // Reads the turns numbered `from` to `to` (exclusive), counted from the newest, a page at a time.
  async read_earlier(from, to) {
    for (let page = Math.floor(from / page_size); page * page_size < to; page += 1) {
      const { interactions } = await this.api_.read_interactions(this.id, page, page_size);
      if (this.stopped_) return;
      this.set(add_earlier(this.state_, interactions).state);
    }
  }

  /** Runs an action of the person; says on the page why it failed. Answers whether it succeeded. */
  async act(action) {
    try {
      await action();
      if (!this.stopped_) render_error('session-error', null);
      return true;
    } catch (error) {
      if (!(error instanceof api_error)) throw error;
      if (this.stopped_) return false;
      if (error.status === 401) this.leave('token');
      else render_error('session-error', error.message);
      return false;
    }
  }

  async why_refused() {
    try {
      await this.api_.read_session(this.id);
    } catch (error) {
      if (this.stopped_) return 'stop';
      if (error.status === 401) this.leave('token');
      else if (error.status === 404) this.leave('gone');
    }
    return this.stopped_ ? 'stop' : 'retry';
  }

  leave(reason) {
    this.stop();
    this.on_left_(reason);
  }
}
