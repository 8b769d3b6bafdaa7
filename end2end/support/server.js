// The built server as a child process: its own port, its own data, killed by its own id.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binary = process.env.OUTLAST_BIN ?? path.join(root, 'dist/outlast');
export const site = process.env.OUTLAST_SITE ?? path.join(root, 'dist/site');
export const artifacts = path.join(root, 'end2end/artifacts');

/** What the configuration takes for a secret, as `outlast hash` prints it. */
export function hash(secret) {
  const { stdout, stderr, status } = spawnSync(binary, ['hash'], { input: `${secret}\n`, encoding: 'utf8' });
  if (status !== 0) throw new Error(`outlast hash failed: ${stderr}`);
  return stdout.trim();
}

/** A port that was free a moment ago. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Server {
  health = '/healthz';

  /** @param {string} name names the log file in the artifacts */
  constructor(name, env = {}) {
    this.name = name;
    this.env = env;
  }

  get arguments() {
    return ['serve'];
  }

  get command() {
    return [binary, ...this.arguments];
  }

  async prepare() {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: \`make build\` makes it`);
    this.data ??= await mkdtemp(path.join(tmpdir(), 'outlast-e2e-'));
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    mkdirSync(artifacts, { recursive: true });
  }

  get place() {
    return {
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
    };
  }

  /** Makes the table, where that is not done by itself. */
  async init() {
    await this.prepare();
    await promisify(execFile)(binary, ['init'], this.place);
  }

  /** Starts it, and returns at once. */
  async run() {
    await this.prepare();
    const log = createWriteStream(path.join(artifacts, `server-${this.name}.log`), { flags: 'a' });
    const [program, ...words] = this.command;
    const child = spawn(program, words, { ...this.place, stdio: ['ignore', 'pipe', 'pipe'] });
    Object.assign(this, { child, said: '', ended: null });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.said = (this.said + chunk).slice(-4000);
        log.write(chunk);
      });
    }
    child.once('exit', (code, signal) => this.child === child && (this.ended = signal ?? code));
    child.once('error', (e) => (this.ended = e.message));
    return this;
  }

  /** Starts it, and returns when it answers. May be called again after `stop`, on the same port and data. */
  async start() {
    await this.run();
    for (const until = Date.now() + 20_000; ; ) {
      if (this.ended !== null) throw new Error(`the server ended at its start (${this.ended}): ${this.said}`);
      const answer = await fetch(this.url + this.health).catch(() => null);
      if (answer?.ok) return this;
      if (Date.now() > until) {
        const { said } = this;
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

  /** From its next start on it has the same site under other names, as after a change to it. */
  async renameAssets() {
    const copy = path.join(this.data, 'site');
    await cp(site, copy, { recursive: true });
    const [folder] = await readdir(path.join(copy, 'pkg'));
    const other = [...folder].reverse().join('');
    await rename(path.join(copy, 'pkg', folder), path.join(copy, 'pkg', other));
    const manifest = path.join(copy, 'assets.txt');
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replaceAll(folder, other));
    this.env = { ...this.env, OUTLAST_SITE: copy };
  }

  /** Ends it and forgets its data. */
  async dispose() {
    await this.stop();
    if (this.data) await rm(this.data, { recursive: true, force: true });
  }
}

/** The Messages API, apart from the server, so that it outlives it and counts its calls on. */
export class Simulator extends Server {
  health = '/sim/calls';

  get arguments() {
    return ['simulate', '--addr', `127.0.0.1:${this.port}`];
  }

  /** What makes a server ask it. */
  get client() {
    return { ANTHROPIC_BASE_URL: this.url, ANTHROPIC_API_KEY: 'for-the-simulator' };
  }
}
