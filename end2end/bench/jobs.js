// Jobs: how fast one is taken, begun and looked at, and what that reads.
import { createServer, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, quantile, ulid } from './clients.js';
import { startOutlast, stop } from './processes.js';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** Hands a job in; gives its id, how long the 202 took, and when it was asked for. */
async function submit(client, variants, script) {
  const job_id = ulid();
  const body = new URLSearchParams({ job_id, variants, prompt: `A page\n/sim ${script}` }).toString();
  const since = performance.now();
  const { status, headersAt } = await client.ask('POST', '/api/jobs/submit', { body, headers: FORM });
  if (status !== 202) throw new Error(`a job was answered with ${status}`);
  return { job_id, took: headersAt, since };
}

async function look(client, job_id) {
  const { text } = await client.ask('GET', `/api/jobs/status?job_id=${job_id}`);
  return { bytes: Buffer.byteLength(text), ...JSON.parse(text) };
}

const follow = (client, variant, mark) => client.ask('GET', `/api/chat/follow?turn_id=${variant.turn_id}`, { mark });

/** Follows every variant to its end; how long that took since the job was handed in. */
async function whole(port, cookie, { job_id, since }, variants) {
  const each = variants.map(async (variant) => {
    const client = Object.assign(new Client(port), { cookie });
    const { text } = await follow(client, variant, 'event: end');
    client.close();
    if (!text.includes('"outcome":"complete"')) throw new Error(`a variant of ${job_id} is not whole`);
  });
  await Promise.all(each);
  return performance.now() - since;
}

/** A way to the store on which reads of jobs, and of logs' ends, are counted. */
async function counted(dynamodb) {
  const reads = { job: 0, log: 0 };
  const server = createServer((from, to) => {
    const chunks = [];
    from.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
      const body = Buffer.concat(chunks);
      const [, operation] = (from.headers['x-amz-target'] ?? '').split('.');
      if (operation === 'GetItem' && body.includes('"JOB#')) reads.job += 1;
      if (operation === 'Query' && body.includes('"TURN#')) reads.log += 1;
      const options = { host: '127.0.0.1', port: dynamodb.port, method: from.method, path: from.url, headers: from.headers };
      const asked = request(options, (answer) => {
        to.writeHead(answer.statusCode, answer.headers);
        answer.pipe(to);
      });
      asked.once('error', () => to.destroy());
      asked.end(body);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { reads, port, url: `http://127.0.0.1:${port}`, close: () => server.closeAllConnections() ?? server.close() };
}

/**
 * The time to the 202 on a store, one job after the other: each is over before the next. `queue` puts the messages into
 * SQS, which nobody works on.
 */
export async function taken(simulator, dynamodb, queue, n) {
  const outlast = await startOutlast(simulator, dynamodb, queue);
  const client = new Client(outlast.port);
  const times = [];
  for (let i = 0; i < n + 20; i += 1) {
    const { job_id, took } = await submit(client, 1, 'tokens=1 rate=0 ttft=0');
    if (i >= 20) times.push(took);
    if (!queue) while ((await look(client, job_id)).status !== 'COMPLETE') await delay(5);
  }
  client.close();
  await stop(outlast);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** From handing in to the first token of the first variant, and six variants against one. */
export async function begun(simulator, n) {
  const outlast = await startOutlast(simulator, null);
  const client = new Client(outlast.port);
  const first = [];
  for (let i = 0; i < n; i += 1) {
    const job = await submit(client, 1, 'tokens=5 rate=0 ttft=0');
    const { variants } = await look(client, job.job_id);
    const asked = performance.now();
    const { first: heard } = await follow(client, variants[0], 'event: text');
    first.push(asked - job.since + heard);
  }
  const all = {};
  for (const variants of [1, 6]) {
    const job = await submit(client, variants, 'tokens=150 rate=50 ttft=0');
    all[variants] = await whole(outlast.port, client.cookie, job, (await look(client, job.job_id)).variants);
  }
  client.close();
  await stop(outlast);
  return { first: { p50: quantile(first, 0.5), p99: quantile(first, 0.99) }, one: all[1], six: all[6] };
}

/** What a look at a job of ten reads and answers, half of which have ended, after 30,000 characters each. */
export async function polled(simulator, dynamodb) {
  const counter = await counted(dynamodb);
  const outlast = await startOutlast(simulator, counter);
  const client = new Client(outlast.port);
  const { job_id } = await submit(client, 10, 'tokens=30000 rate=1000 ttft=0');
  let job;
  do {
    await delay(500);
    job = await look(client, job_id);
  } while (job.variants.some((v) => v.chars < 30_000 || v.status !== 'RUNNING'));
  const ended = job.variants.slice(5);
  for (const { turn_id } of ended) {
    await client.ask('POST', '/api/chat/stop', { body: new URLSearchParams({ turn_id }).toString(), headers: FORM });
  }
  // The least of several looks: the server's own work reads too, now and then.
  let reads = Infinity;
  for (let i = 0; i < 10; i += 1) {
    await delay(300);
    Object.assign(counter.reads, { job: 0, log: 0 });
    job = await look(client, job_id);
    reads = Math.min(reads, counter.reads.job + counter.reads.log);
  }
  const running = job.variants.filter((v) => v.status === 'RUNNING').length;
  await client.ask('POST', '/api/jobs/cancel', { body: new URLSearchParams({ job_id }).toString(), headers: FORM });
  client.close();
  await stop(outlast);
  counter.close();
  return { reads, running, bytes: job.bytes };
}
