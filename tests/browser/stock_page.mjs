// What an existing page makes of the session socket: its library, its patch rules, its cache. Written from the
// description of that page alone; it knows nothing of positions, of our page or of our client.

import { createHash } from 'node:crypto';

import ReconnectingWebSocket from 'reconnecting-websocket';
import { WebSocket } from 'ws';

export class stock_page {
  constructor(url, session_id, token) {
    this.session_id = session_id;
    this.cached = []; // interactions, oldest first
    this.live = new Map(); // interaction id -> entries made of patches since the socket opened
    this.opened = 0;
    this.compared = 0; // turns whose patches alone had made the whole answer when the end came
    this.breaches = [];
    const socket_url = `${url.replace(/^http/, 'ws')}/api/v1/ws/user?session_id=${session_id}&access_token=${token}`;
    this.socket = new ReconnectingWebSocket(socket_url, [], { // the settings of that page
      WebSocket, maxRetries: Infinity, minReconnectionDelay: 1000, maxReconnectionDelay: 10_000,
      reconnectionDelayGrowFactor: 1.3,
    });
    this.socket.addEventListener('open', () => {
      this.opened += 1;
      this.live.clear(); // it relies on the server for a baseline
    });
    this.socket.addEventListener('message', ({ data }) => this.receive(JSON.parse(data)));
  }

  close() {
    this.socket.close();
  }

  receive(event) {
    if (event.session_id !== this.session_id) return;
    if (event.type === 'interaction_patch') this.patch(event);
    if (event.type === 'interaction_update') this.update(event.interaction);
    if (event.type === 'session_update') this.session_update(event.session);
  }

  patch({ interaction_id, entry_patches, entry_count }) {
    const entries = this.live.get(interaction_id) ?? [];
    while (entries.length < entry_count) entries.push({ type: 'text', content: '', message_id: '' });
    for (const one of entry_patches) {
      const old = entries[one.index] ?? { content: '' };
      const content = apply_patch(old.content, one.patch, one.patch_offset, one.total_length);
      entries[one.index] = {
        type: one.type, content, message_id: one.message_id,
        tool_name: one.tool_name ?? old.tool_name, tool_status: one.tool_status ?? old.tool_status,
      };
    }
    this.live.set(interaction_id, entries);
  }

  update(interaction) {
    const at = this.cached.findIndex(({ id }) => id === interaction.id);
    if (at < 0) this.cached.push(interaction);
    else this.cached[at] = interaction;
    if (interaction.state === 'waiting') return;
    const live = this.live.get(interaction.id);
    this.live.delete(interaction.id);
    if (!live) return;
    this.compared += 1;
    if (text_of(live) !== text_of(interaction.response_entries)) {
      this.breaches.push(`live ${text_of(live)}\nended as ${text_of(interaction.response_entries)}`);
    }
  }

  session_update({ interactions }) {
    if (!interactions || interactions.length === 0 || interactions.length < this.cached.length) return;
    this.cached = interactions;
  }

  /** What is on the screen of an interaction. */
  shown(id) {
    const cached = this.cached.find((one) => one.id === id);
    return text_of(this.live.get(id) ?? cached?.response_entries ?? []);
  }
}

/** That page's own rule, word for word: an omitted offset would be undefined, and an omitted patch "". */
export function apply_patch(content, patch, offset, total) {
  const head = content.slice(0, offset);
  return (head + (patch ?? '')).slice(0, total);
}

export function text_of(entries) {
  return entries.filter(({ content }) => content !== '').map(({ content }) => content).join('\n\n');
}

export function entries_sha256(entries) {
  const hash = createHash('sha256');
  for (const entry of entries) {
    for (const field of ['type', 'message_id', 'tool_name', 'tool_status', 'content']) {
      const bytes = Buffer.from(entry[field] ?? '', 'utf8');
      hash.update(`${bytes.length}:`).update(bytes);
    }
  }
  return hash.digest('hex');
}
