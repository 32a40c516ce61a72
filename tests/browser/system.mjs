// The whole system on free ports and a state folder of its own, as a person would start it: with deploy/local/up.

import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export class local_system {
  static async start(settings = {}) {
    const system = new local_system();
    system.state = await mkdtemp(join(tmpdir(), 'throughline-browser-'));
    await chmod(system.state, 0o755);
    const [gateway, bridge, ops, nats, postgres] = await free_ports();
    system.url = `http://127.0.0.1:${gateway}`;
    const options = ['--no-install', '--no-build', '--state', system.state, '--gateway-port', gateway,
      '--bridge-port', bridge, '--ops-port', ops, '--nats-port', nats, '--postgres-port', postgres];
    await system.run(options.map(String), { ...process.env, ...settings });
    return system;
  }

  /** Resolves when the system says that it runs. */
  run(options, env) {
    return new Promise((done, failed) => {
      this.child_ = spawn(join(root, 'deploy/local/up'), options, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      this.output = '';
      this.ended_ = new Promise((ended) => { this.child_.on('exit', ended); });
      for (const stream of [this.child_.stdout, this.child_.stderr]) {
        stream.on('data', (text) => {
          this.output += text;
          if (this.output.includes('Logs are in')) done();
        });
      }
      this.child_.on('exit', (status) => failed(new Error(`up ended with ${status}\n${this.output}`)));
    });
  }

  /** Ctrl-C. Answers the exit status. */
  async stop() {
    this.child_.kill('SIGINT');
    const status = await this.ended_;
    await rm(this.state, { recursive: true, force: true });
    return status;
  }

  /** The link that `up` prints: signed in, in the demo session. */
  get link() {
    return this.output.match(/^ +(http\S+#token=\S+)$/m)[1];
  }

  get token() {
    return new URLSearchParams(new URL(this.link).hash.slice(1)).get('token');
  }

  get session_id() {
    return new URLSearchParams(new URL(this.link).hash.slice(1)).get('session');
  }

  async pid(name) {
    return Number(await readFile(join(this.state, 'run', `${name}.pid`), 'utf8'));
  }

  /** SIGKILL; resolves when `up` has started it again. */
  async kill(name) {
    const before = await this.pid(name);
    process.kill(before, 'SIGKILL');
    await until(async () => await this.pid(name) !== before, `${name} is started again`);
  }

  async api(path) {
    const response = await fetch(`${this.url}/api/v1${path}`, { headers: { Authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    return response.json();
  }
}

export async function until(is_true, what, limit_ms = 30_000) {
  const deadline = Date.now() + limit_ms;
  while (!await is_true()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limit_ms} ms`);
    await new Promise((done) => { setTimeout(done, 25); });
  }
}

// Below the range of outgoing connections, so that a port stays free while its server is being started again.
async function free_ports() {
  const from = 15_000 + 10 * Math.floor(Math.random() * 1_600);
  const block = Array.from({ length: 7 }, (_, index) => from + index);
  for (const port of block) if (!await is_free(port)) return free_ports();
  const [gateway, bridge, nats, postgres, ops] = block;
  return [gateway, bridge, ops, nats, postgres];
}

function is_free(port) {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}
