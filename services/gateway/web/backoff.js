// How long to wait before the next attempt: doubling, capped, and jittered so that many pages do not return at once.

const first_ms = 200;
const max_ms = 10_000;

export function backoff_ms(attempt, random = Math.random) {
  const ceiling = Math.min(max_ms, first_ms * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}

export function sleep(ms) {
  return new Promise((done) => { setTimeout(done, ms); });
}
