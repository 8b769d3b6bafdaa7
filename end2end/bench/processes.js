// The processes that are measured: started here, ended by their own ids, and what the kernel says about them.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What xtask found or fetched: paths by name. */
export const tools = JSON.parse(process.env.OUTLAST_BENCH_TOOLS ?? '{}');
const TICKS = Number(execFileSync('getconf', ['CLK_TCK']));
const running = new Set();
export const work = await mkdtemp(path.join(tmpdir(), 'outlast-bench-'));

/** A port that was free a moment ago. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a program; what it says goes to a file in the work folder. */
export function start(name, program, args, { env = {}, cwd = work } = {}) {
  const log = path.join(work, `${name}.log`);
  const fd = openSync(log, 'a');
  const spawnedAt = performance.now();
  const child = spawn(program, args, { cwd, stdio: ['ignore', fd, fd], env: { PATH: process.env.PATH, ...env } });
  closeSync(fd);
  const made = { name, child, log, spawnedAt, pid: child.pid };
  child.once('error', (e) => (made.fault = e.message));
  child.once('exit', () => running.delete(made));
  running.add(made);
  return made;
}

/** Ends one and waits for its end. */
export async function stop({ child }) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(late);
}

/** Ends all that still run, and forgets what they wrote. */
export async function stopAll() {
  await Promise.all([...running].map(stop));
  await rm(work, { recursive: true, force: true });
}

/** Waits until something listens there. */
export async function listening(made, port, pause = 20) {
  for (const until = Date.now() + 60_000; ; ) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false)).once('close', () => socket.destroy());
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    if (made.fault || made.child.exitCode !== null || Date.now() > until) {
      throw new Error(`${made.name} does not answer: ${made.fault ?? readFileSync(made.log, 'utf8').slice(-2000)}`);
    }
    await delay(pause);
  }
}

/** CPU time of a process so far, in seconds, as user and in the kernel. The kernel counts in hundredths. */
export function cpuSeconds({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The most memory that it ever had resident, in MB. */
export function peakMegabytes({ pid }) {
  return (Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024) / 1e6;
}

export const AWS = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local', AWS_DEFAULT_REGION: 'us-east-1' };

export async function startSimulator() {
  const port = await freePort();
  const made = start('simulator', tools.outlast, ['simulate', '--addr', `127.0.0.1:${port}`]);
  await listening(made, port);
  return Object.assign(made, { port, url: `http://127.0.0.1:${port}` });
}

export async function startDynamoDb() {
  const port = await freePort();
  const lib = `-Djava.library.path=${path.join(tools.dynamodb, 'DynamoDBLocal_lib')}`;
  const flags = ['-Xmx768m', '-XX:+UseSerialGC', lib, '-jar', 'DynamoDBLocal.jar'];
  const args = [...flags, '-inMemory', '-disableTelemetry', '-port', String(port)];
  const made = start('dynamodb', 'java', args, { cwd: tools.dynamodb });
  await listening(made, port);
  const url = `http://127.0.0.1:${port}`;
  for (const table of ['outlast', 'peer']) {
    const env = { ...AWS, AWS_ENDPOINT_URL_DYNAMODB: url, OUTLAST_STORE: 'dynamodb', OUTLAST_TABLE: table };
    execFileSync(tools.outlast, ['init'], { env, stdio: 'pipe' });
  }
  return Object.assign(made, { port, url });
}

/** SQS, and the queues in it. */
export async function startQueue(dynamodb) {
  const port = await freePort();
  const made = start('ministack', tools.ministack, [], { env: { GATEWAY_PORT: String(port) } });
  await listening(made, port);
  const env = { ...AWS, AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url, AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${port}` };
  const said = execFileSync(tools.outlast, ['init'], { env: { ...env, OUTLAST_STORE: 'dynamodb' }, encoding: 'utf8' });
  return Object.assign(made, { endpoint: env.AWS_ENDPOINT_URL_SQS, url: /http\S+outlast\b(?!-)/.exec(said)[0] });
}

let servers = 0;

/**
 * Outlast, not yet awaited; with `dynamodb` on that store, else on the embedded one; with `queue` on that one; `more`
 * are variables.
 */
export async function spawnOutlast(simulator, dynamodb, queue, more = {}) {
  const port = Number(more.OUTLAST_ADDR?.split(':')[1]) || (await freePort());
  const store = dynamodb ? { OUTLAST_STORE: 'dynamodb', AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url, ...AWS } : {};
  const sqs = queue ? { AWS_ENDPOINT_URL_SQS: queue.endpoint, OUTLAST_QUEUE_URL: queue.url } : {};
  servers += 1;
  const env = {
    ...store,
    ...sqs,
    OUTLAST_ADDR: `127.0.0.1:${port}`,
    OUTLAST_DATA_DIR: path.join(work, `data-${servers}`),
    OUTLAST_SITE: tools.site,
    OUTLAST_SECRET: 'a secret of no worth for measurements only',
    ANTHROPIC_BASE_URL: simulator.url,
    ANTHROPIC_API_KEY: 'sk-simulated',
    ...more,
  };
  const made = start(`outlast-${servers}`, tools.outlast, ['serve'], { env });
  return Object.assign(made, { port });
}

export async function startOutlast(simulator, dynamodb, queue, more) {
  const made = await spawnOutlast(simulator, dynamodb, queue, more);
  await listening(made, made.port);
  return made;
}

/** The FastAPI peer, not yet awaited. */
export async function spawnPeer(simulator, dynamodb) {
  const port = await freePort();
  const env = {
    ...AWS,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
    PEER_TABLE: 'peer',
    ANTHROPIC_BASE_URL: simulator.url,
    ANTHROPIC_API_KEY: 'sk-simulated',
  };
  const args = ['-m', 'uvicorn', 'app:app', '--port', String(port)];
  const made = start('fastapi', tools.python, args, { env, cwd: path.join(import.meta.dirname, 'peer_fastapi') });
  return Object.assign(made, { port });
}
