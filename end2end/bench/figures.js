// What is measured, a function a figure. Each returns plain numbers; run.js makes the table of them.
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Client, askOutlast, askPeer, askUpstream, quantile, ulid } from './clients.js';
import { startNginx } from './nginx.js';
import {
  cpuSeconds,
  listening,
  peakMegabytes,
  spawnOutlast,
  spawnPeer,
  startOutlast,
  stop,
  tools,
} from './processes.js';

/** Messages of a chat before the next one is taken, where existing chats are measured. */
const CHAT = 10;

/**
 * Time to the first token through Outlast, less the median of the same upstream asked directly; new chats, existing
 * ones and upstream take turns, each on a connection of its own.
 */
export async function firstToken(simulator, dynamodb, n) {
  const outlast = await startOutlast(simulator, dynamodb);
  const [direct, web] = [new Client(simulator.port), new Client(outlast.port)];
  const script = 'Hello\n/sim tokens=5 rate=0 ttft=0 seed=1';
  const times = { direct: [], fresh: [], existing: [], headers: [] };
  const warmUp = 30;
  let session = ulid();
  for (let i = 0; i < n + warmUp; i += 1) {
    const direct1 = await askUpstream(direct, script);
    const fresh = await askOutlast(web, script);
    if (i % CHAT === 0) await askOutlast(web, script, { session: (session = ulid()) });
    const existing = await askOutlast(web, script, { session, fresh: false });
    if (i < warmUp) continue;
    times.direct.push(direct1.first);
    times.fresh.push(fresh.first);
    times.existing.push(existing.first);
    times.headers.push(fresh.headersAt);
  }
  direct.close();
  web.close();
  await stop(outlast);
  const base = quantile(times.direct, 0.5);
  const added = (values) => ({ p50: quantile(values, 0.5) - base, p99: quantile(values, 0.99) - base });
  return {
    direct: { p50: base, p99: quantile(times.direct, 0.99) },
    fresh: added(times.fresh),
    existing: added(times.existing),
    toHeaders: quantile(times.headers, 0.5),
  };
}

/** CPU time of one relayed token, in µs, for Outlast, the FastAPI peer and nginx under the same load, one by one. */
export async function relayCpu(simulator, dynamodb, { streams = 20, rate = 50, seconds = 30 }) {
  const stacks = [
    ['outlast', () => startOutlast(simulator, dynamodb), (client, text) => askOutlast(client, text)],
    ['fastapi', () => startPeer(simulator, dynamodb), (client, text) => askPeer(client, text)],
    ['nginx', () => startNginx(simulator), askUpstream],
  ];
  const costs = {};
  for (const [name, startIt, ask] of stacks) {
    const made = await startIt();
    const clients = Array.from({ length: streams }, () => new Client(made.port));
    const all = (script) => Promise.all(clients.map((client) => ask(client, `Hello\n/sim ${script}`)));
    await all('tokens=50 rate=0');
    const [before, at] = [cpuSeconds(made), performance.now()];
    await all(`tokens=${rate * seconds} rate=${rate}`);
    const [spent, took] = [cpuSeconds(made) - before, (performance.now() - at) / 1000];
    costs[name] = { us: (spent * 1e6) / (streams * rate * seconds), cpu: spent, took };
    clients.forEach((client) => client.close());
    await stop(made);
  }
  return costs;
}

async function startPeer(simulator, dynamodb) {
  const made = await spawnPeer(simulator, dynamodb);
  await listening(made, made.port);
  return made;
}

/** From spawn to the first byte of the page, in ms, with a chat of one's own to show, which is in DynamoDB. */
export async function coldStart(simulator, dynamodb, n) {
  const outlast = await startOutlast(simulator, dynamodb);
  const owner = new Client(outlast.port);
  const session = ulid();
  await askOutlast(owner, 'A chat to show\n/sim tokens=5 rate=0', { session });
  await stop(outlast);
  owner.close();
  const peer = await startPeer(simulator, dynamodb);
  await askPeer(new Client(peer.port), 'A chat to show\n/sim tokens=5 rate=0', session);
  await stop(peer);

  const times = { outlast: [], fastapi: [] };
  for (let i = 0; i < n; i += 1) {
    for (const [name, spawnIt, page] of [
      ['outlast', spawnOutlast, '/'],
      ['fastapi', spawnPeer, `/?session_id=${session}`],
    ]) {
      const made = await spawnIt(simulator, dynamodb);
      await listening(made, made.port, 1);
      const client = new Client(made.port);
      client.cookie = owner.cookie;
      const asked = performance.now();
      const answer = await client.ask('GET', page);
      if (!answer.text.includes('A chat to show')) throw new Error(`${name} did not render the chat`);
      times[name].push(asked - made.spawnedAt + answer.first);
      client.close();
      await stop(made);
    }
  }
  return { outlast: quantile(times.outlast, 0.5), fastapi: quantile(times.fastapi, 0.5) };
}

/** The most memory that Outlast had resident over so many chats, some at once, in MB. */
export async function memory(simulator, dynamodb, { chats = 200, atOnce = 20, tokens = 400 }) {
  const outlast = await startOutlast(simulator, dynamodb);
  const clients = Array.from({ length: atOnce }, () => new Client(outlast.port));
  const started = peakMegabytes(outlast);
  for (let i = 0; i < chats; i += atOnce) {
    await Promise.all(clients.map((client) => askOutlast(client, `Hello\n/sim tokens=${tokens} rate=200`)));
  }
  const peak = peakMegabytes(outlast);
  clients.forEach((client) => client.close());
  await stop(outlast);
  return { peak, started };
}

/** What a first visit loads, in bytes of brotli by kind, and what holds up its first paint. */
export async function firstLoad(simulator, dynamodb) {
  const bytes = {};
  const [pkg] = readdirSync(path.join(tools.site, 'pkg'));
  const folder = path.join(tools.site, 'pkg', pkg);
  for (const name of readdirSync(folder).filter((f) => f.endsWith('.br'))) {
    bytes[name.slice(0, -3)] = statSync(path.join(folder, name)).size;
  }
  const outlast = await startOutlast(simulator, dynamodb);
  const client = new Client(outlast.port);
  const { text } = await client.ask('GET', '/');
  client.close();
  await stop(outlast);
  const tags = text.match(/<(link|script)\b[^>]*>/g) ?? [];
  const blocking = tags.filter(
    (tag) => /rel="?stylesheet/.test(tag) || (/^<script[^>]*\bsrc=/.test(tag) && !/\b(async|defer)\b|type="?module/.test(tag)),
  );
  const total = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  return { bytes, total, blocking: blocking.map((tag) => /(?:href|src)="?([^"\s>]+)/.exec(tag)?.[1] ?? tag) };
}
