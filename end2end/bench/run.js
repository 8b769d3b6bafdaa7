// `make bench`: measures everything in one run and prints one table. `quick` as an argument: a short run, to try it.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { coldStart, firstLoad, firstToken, memory, relayCpu } from './figures.js';
import { begun, polled, taken } from './jobs.js';
import { onLambda } from './lambda.js';
import { deaths, followers, streams } from './lasting.js';
import { painted } from './painted.js';
import { startDynamoDb, startQueue, startSimulator, stopAll, tools } from './processes.js';
import { table } from './table.js';

const quick = process.argv.includes('quick');
const root = path.resolve(import.meta.dirname, '../..');

async function step(name, work) {
  process.stderr.write(`${name} …`);
  const since = performance.now();
  const result = await work();
  process.stderr.write(` ${((performance.now() - since) / 1000).toFixed(0)} s\n`);
  return result;
}

async function measure() {
  const simulator = await startSimulator();
  const dynamodb = await step('starting DynamoDB Local', startDynamoDb);
  const n = quick ? 20 : 300;
  const store = (turns) => promisify(execFile)(tools.store, [dynamodb.url, String(n), String(turns)]);
  return {
    embedded: await step('first token, embedded store', () => firstToken(simulator, null, n)),
    dynamodb: await step('first token, DynamoDB Local', () => firstToken(simulator, dynamodb, n)),
    store: await step('the store alone, and 1,000 turns', async () => JSON.parse((await store(quick ? 20 : 1000)).stdout)),
    cpu: await step('CPU of relayed tokens', () => relayCpu(simulator, dynamodb, quick ? { seconds: 5 } : {})),
    jobs: await step('jobs', async () => ({
      embedded: await taken(simulator, null, null, n),
      dynamodb: await taken(simulator, dynamodb, await startQueue(dynamodb), n),
      ...(await begun(simulator, quick ? 10 : 100)),
      poll: await polled(simulator, dynamodb),
    })),
    start: await step('spawn to first byte', () => coldStart(simulator, dynamodb, quick ? 3 : 15)),
    lambda: await step("Lambda's doors", () => onLambda(simulator, dynamodb, quick ? { starts: 3, chats: 2, n: 10 } : {})),
    deaths: await step('servers that die', () => deaths(simulator, dynamodb, quick ? { rounds: 1 } : {})),
    followers: await step('followers elsewhere', () => followers(simulator, dynamodb, quick ? { tokens: 60 } : {})),
    streams: [
      await step('400 streams', () => streams(simulator, { n: 400, rate: 20, seconds: quick ? 5 : 20 })),
      await step('2,000 streams', () => streams(simulator, { n: 2000, rate: 1, seconds: quick ? 30 : 40 })),
    ],
    memory: await step('memory', () => memory(simulator, dynamodb, quick ? { chats: 20 } : {})),
    load: await step('first load', () => firstLoad(simulator, dynamodb)),
    painted: await step('Enter to paint', () => painted(simulator, quick ? 5 : 40)),
    // Needs a machine with empty caches, so it is measured by itself and only told here.
    coldRunMinutes: Number(process.env.OUTLAST_BENCH_COLD_RUN_MINUTES) || undefined,
  };
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => stopAll().finally(() => process.exit(1)));
}
try {
  const measured = await measure();
  const artifacts = path.join(root, 'end2end/artifacts');
  mkdirSync(artifacts, { recursive: true });
  writeFileSync(path.join(artifacts, 'bench.json'), JSON.stringify(measured, null, 2));
  console.log(table(measured));
} catch (e) {
  console.error(`\nerror: ${e.message}`);
  process.exitCode = 1;
} finally {
  await stopAll();
}
