// The built server as a child process: its own port, its own data, killed by its own id.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.env.OUTLAST_BIN ?? path.join(root, 'dist/outlast');
const site = process.env.OUTLAST_SITE ?? path.join(root, 'dist/site');
export const artifacts = path.join(root, 'end2end/artifacts');

/** A port that was free a moment ago. */
async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Server {
  /** @param {string} name names the log file in the artifacts */
  constructor(name, env = {}) {
    this.name = name;
    this.env = env;
  }

  /** Starts it, and returns when it answers. May be called again after `stop`, on the same port and data. */
  async start() {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: \`make build\` makes it`);
    this.data ??= await mkdtemp(path.join(tmpdir(), 'outlast-e2e-'));
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    mkdirSync(artifacts, { recursive: true });
    const log = createWriteStream(path.join(artifacts, `server-${this.name}.log`), { flags: 'a' });
    this.child = spawn(binary, ['serve'], {
      // Not the repository: the bundle must run from any directory.
      cwd: this.data,
      env: {
        PATH: process.env.PATH,
        OUTLAST_ADDR: `127.0.0.1:${this.port}`,
        OUTLAST_DATA_DIR: path.join(this.data, 'data'),
        OUTLAST_SITE: site,
        OUTLAST_LOG: 'json',
        ...this.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (chunk) => {
        said = (said + chunk).slice(-4000);
        log.write(chunk);
      });
    }
    const child = this.child;
    let ended = null;
    child.once('exit', (code, signal) => (ended = signal ?? code));
    child.once('error', (e) => (ended = e.message));
    for (const until = Date.now() + 20_000; ; ) {
      if (ended !== null) throw new Error(`the server ended at its start (${ended}): ${said}`);
      const answer = await fetch(`${this.url}/healthz`).catch(() => null);
      if (answer?.ok) return this;
      if (Date.now() > until) {
        await this.stop('SIGKILL');
        throw new Error(`the server did not answer within 20 s: ${said}`);
      }
      await delay(25);
    }
  }

  /** Ends it and waits for the end. */
  async stop(signal = 'SIGTERM') {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = delay(10_000).then(() => child.kill('SIGKILL'));
    await Promise.race([gone, late.then(() => gone)]);
  }

  /** Ends it and forgets its data. */
  async dispose() {
    await this.stop();
    if (this.data) await rm(this.data, { recursive: true, force: true });
  }
}
