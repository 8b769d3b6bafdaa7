// What lasts: replies whose server dies, followers elsewhere, and many streams at once.
import { request } from 'node:http';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, quantile, ulid } from './clients.js';
import { listening, spawnOutlast, startOutlast, stop, work } from './processes.js';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** Who reads one turn, through as many streams as it takes. */
class Reader {
  constructor(cookie, script) {
    Object.assign(this, { cookie, session: ulid(), turn: ulid(), message: `Hello\n/sim ${script}` });
    this.text = '';
    this.cursor = '';
    this.end = null;
    this.onText = () => {};
  }

  /** The same turn, read from its beginning by somebody else. */
  beside() {
    return Object.assign(new Reader(this.cookie, ''), { session: this.session, turn: this.turn });
  }

  send(port) {
    const fields = { session_id: this.session, turn_id: this.turn, text: this.message, new: 'true' };
    return this.read(port, 'POST', '/api/chat/send', new URLSearchParams(fields).toString());
  }

  follow(port) {
    return this.read(port, 'GET', `/api/chat/follow?turn_id=${this.turn}&cursor=${this.cursor}`);
  }

  /** Follows until the end, whatever happens to the streams. */
  async last(port) {
    for (const until = performance.now() + 60_000; !this.end; ) {
      if (performance.now() > until) throw new Error(`${this.turn} does not end`);
      await this.follow(port);
      if (!this.end) await delay(5);
    }
  }

  /** One stream to its end, clean or not. */
  read(port, method, path, body) {
    return new Promise((resolve) => {
      const length = body === undefined ? {} : { ...FORM, 'content-length': Buffer.byteLength(body) };
      const headers = { cookie: this.cookie, ...length };
      const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
        let rest = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          rest += chunk;
          const frames = rest.split('\n\n');
          rest = frames.pop();
          for (const frame of frames) this.take(frame);
        });
        answer.once('close', resolve).once('error', () => {});
      });
      asked.setNoDelay(true);
      asked.once('error', resolve);
      asked.end(body);
    });
  }

  take(frame) {
    const [, event] = /^event: (.*)$/m.exec(frame) ?? [];
    if (!event) return;
    this.cursor = /^id: (.*)$/m.exec(frame)?.[1] ?? this.cursor;
    const data = JSON.parse(/^data: (.*)$/m.exec(frame)[1]);
    if (event === 'text') {
      this.text += data.text;
      this.onText(performance.now(), data.text);
    } else if (event === 'rewind') {
      this.text = Buffer.from(this.text).subarray(0, Number(BigInt(data.to) % 2n ** 32n)).toString();
    } else if (event === 'end') this.end = data;
  }

  /** How many numbered words there are. */
  get words() {
    return this.text.match(/w\d+·c\d+/g)?.length ?? 0;
  }

  /** Whether it is the numbered words 0 to `tokens`, each once and in order, and stored like that. */
  async whole(port, tokens) {
    const client = Object.assign(new Client(port), { cookie: this.cookie });
    const { text } = await client.ask('GET', `/api/sessions/get?session_id=${this.session}`);
    client.close();
    const numbers = this.text.trim().split(/\s+/).map((word) => /^w(\d+)·c\d+$/.exec(word)?.[1]);
    const inOrder = numbers.length === tokens && numbers.every((n, i) => Number(n) === i);
    return this.end?.outcome === 'complete' && inOrder && JSON.parse(text).messages.at(-1).text === this.text;
  }

  /** Resolves with the time at which the next text comes. */
  next() {
    return new Promise((resolve) => {
      this.onText = (at) => {
        this.onText = () => {};
        resolve(at);
      };
    });
  }

  async until(words) {
    while (this.words < words) await delay(20);
  }
}

/** A user's cookie. */
async function someone(port) {
  const client = new Client(port);
  await client.ask('GET', '/');
  client.close();
  return client.cookie;
}

const TOKENS = 200;
const SCRIPT = `vary tokens=${TOKENS} rate=30`;

/** Begins so many replies, waits till all are well under way, lets `blow` fall, and gives them to `to`. */
async function struck(from, to, n, blow) {
  const cookie = await someone(from.port);
  const readers = Array.from({ length: n }, () => new Reader(cookie, SCRIPT));
  const sent = readers.map((reader) => reader.send(from.port));
  await Promise.all(readers.map((reader) => reader.until(60)));
  // Only what comes after the blow counts, not what was on its way.
  const since = await blow();
  await Promise.all(sent);
  const nexts = readers.map((reader) => reader.next());
  const ends = readers.map((reader) => reader.last(to.port));
  const waited = (await Promise.all(nexts)).map((at) => at - since);
  await Promise.all(ends);
  const whole = await Promise.all(readers.map((reader) => reader.whole(to.port, TOKENS)));
  return { waited, whole: whole.filter(Boolean).length };
}

const all = (rounds) => ({
  n: rounds.length && rounds.reduce((sum, r) => sum + r.waited.length, 0),
  whole: rounds.reduce((sum, r) => sum + r.whole, 0),
  p50: quantile(rounds.flatMap((r) => r.waited), 0.5),
  p95: quantile(rounds.flatMap((r) => r.waited), 0.95),
});

export const LEASE = 3000;

/** Replies whose server is killed, or told to end, and that another or the next one writes on. */
export async function deaths(simulator, dynamodb, { rounds = 10, n = 10 } = {}) {
  const more = { OUTLAST_LEASE_MS: String(LEASE) };
  const start = () => startOutlast(simulator, dynamodb, undefined, more);
  const kill = (made) => async () => {
    made.child.kill('SIGKILL');
    return performance.now();
  };
  const told = (made) => async () => {
    made.child.kill('SIGTERM');
    return performance.now();
  };
  const found = { killed: [], released: [], restarted: [] };
  let other = await start();
  for (const [name, blow, count] of [
    ['killed', kill, rounds],
    ['released', told, Math.ceil(rounds / 3)],
  ]) {
    for (let i = 0; i < count; i += 1) {
      const one = await start();
      found[name].push(await struck(one, other, n, blow(one)));
      await stop(one);
    }
  }
  await stop(other);
  const embedded = { ...more, OUTLAST_DATA_DIR: path.join(work, 'data-lasting') };
  let one = await startOutlast(simulator, undefined, undefined, embedded);
  for (let i = 0; i < Math.ceil(rounds / 3); i += 1) {
    const again = { port: one.port };
    const restart = async () => {
      const gone = new Promise((resolve) => one.child.once('exit', resolve));
      one.child.kill('SIGKILL');
      await gone;
      one = await spawnOutlast(simulator, undefined, undefined, { ...embedded, OUTLAST_ADDR: `127.0.0.1:${again.port}` });
      return one.spawnedAt;
    };
    found.restarted.push(await struck(again, again, n, restart));
  }
  await stop(one);
  return { killed: all(found.killed), released: all(found.released), restarted: all(found.restarted) };
}

/** How far a reader on another server is behind the text's being written: behind the writer's own reader, per event. */
export async function followers(simulator, dynamodb, { n = 10, tokens = 400 } = {}) {
  const [one, other] = [await startOutlast(simulator, dynamodb), await startOutlast(simulator, dynamodb)];
  const cookie = await someone(one.port);
  const lags = [];
  const pairs = Array.from({ length: n }, async () => {
    const reader = new Reader(cookie, `vary tokens=${tokens} rate=20`);
    const beside = reader.beside();
    const arrived = [];
    reader.onText = (at) => arrived.push([reader.text.length, at]);
    // What is written is what the writer's reader has just been shown: the newest letter of each piece.
    beside.onText = (at) => {
      const length = beside.text.length;
      const shown = arrived.find(([upTo]) => upTo >= length);
      if (shown) lags.push(at - shown[1]);
    };
    const sent = reader.send(one.port);
    await reader.until(1);
    await Promise.all([sent, beside.last(other.port)]);
    if (beside.text !== reader.text || !reader.end) throw new Error('the two read different texts');
  });
  await Promise.all(pairs);
  await Promise.all([stop(one), stop(other)]);
  return { p50: quantile(lags, 0.5), p95: quantile(lags, 0.95), pieces: lags.length };
}

const resident = ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

/** So many streams at once on one server with the embedded store: how far the worst fell behind its pace. */
export async function streams(simulator, { n, rate, seconds }) {
  const server = await startOutlast(simulator);
  const cookie = await someone(server.port);
  const before = resident(server);
  const behind = [];
  const tokens = rate * seconds;
  const readers = Array.from({ length: n }, () => new Reader(cookie, `vary tokens=${tokens} rate=${rate}`));
  for (const reader of readers) {
    let first;
    reader.worst = 0;
    reader.onText = (at, text) => {
      const word = /^.*w(\d+)·c/s.exec(text)?.[1];
      if (word === undefined) return;
      first ??= [at, Number(word)];
      reader.worst = Math.max(reader.worst, at - first[0] - ((Number(word) - first[1]) / rate) * 1000);
    };
  }
  const sent = [];
  for (let i = 0; i < n; i += 1) {
    sent.push(readers[i].send(server.port));
    // People do not all press Enter in the same millisecond.
    if (i % 10 === 9) await delay(100);
  }
  await Promise.all(readers.map((reader) => reader.until(Math.max(2, tokens / 2))));
  const held = resident(server) - before;
  await Promise.all(sent);
  for (const reader of readers) if (!reader.end) await reader.last(server.port);
  for (const reader of readers) behind.push(reader.worst);
  const whole = readers.filter((reader) => reader.end.outcome === 'complete' && reader.words === tokens).length;
  await stop(server);
  return { n, rate, whole, worst: Math.max(...behind), p95: quantile(behind, 0.95), each: held / n };
}
