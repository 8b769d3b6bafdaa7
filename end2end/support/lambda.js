// Lambda, as far as it runs here: cargo-lambda's Function URL and runtime API, the real Lambda Web Adapter (or none,
// with `outlast lambda`), and between them what Lambda does and the emulator does not: one invocation an instance at a
// time, an instance frozen while it has none, deadlines, instances that go away.
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { artifacts, binary, freePort, site } from './server.js';

const emulator = process.env.OUTLAST_CARGO_LAMBDA ?? 'cargo-lambda';
const adapter = process.env.OUTLAST_LAMBDA_ADAPTER ?? 'lambda-adapter';

/** The function's name where nobody gave it one. */
const NAME = '_';

/** What Lambda itself sets. */
const PLATFORM = {
  AWS_LAMBDA_FUNCTION_NAME: NAME,
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
};

/** What infra/template.yaml sets for the adapter. */
const ADAPTER = {
  AWS_LWA_INVOKE_MODE: 'response_stream',
  AWS_LWA_READINESS_CHECK_PATH: '/healthz',
  AWS_LWA_PASS_THROUGH_PATH: '/events',
  AWS_LWA_ERROR_STATUS_CODES: '598',
};

/** One instance: a runtime API of its own in front of the emulator's, and the processes behind it. */
class Instance {
  constructor(lambda, number) {
    this.lambda = lambda;
    this.number = number;
    this.children = [];
    this.invocations = 0;
    // The emulator answers before it has all, and would end a connection that is not to last.
    this.agent = new http.Agent({ keepAlive: true });
  }

  async start() {
    this.api = http.createServer((request, response) => this.pass(request, response));
    // Lambda's own keeps a connection for as long as an instance stands still.
    Object.assign(this.api, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
    this.api.listen(0, '127.0.0.1');
    await new Promise((resolve) => this.api.once('listening', resolve));
    const { env, mode, command } = this.lambda;
    const port = await freePort();
    const all = {
      PATH: process.env.PATH,
      OUTLAST_SITE: site,
      OUTLAST_LOG: 'json',
      ...PLATFORM,
      ...env,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${this.api.address().port}`,
      AWS_LWA_PORT: String(port),
    };
    this.started = performance.now();
    const [program, ...words] = command(port, mode === 'lwa' ? 'serve' : 'lambda');
    this.run(program, words, all);
    if (mode === 'lwa') this.run(adapter, [], { ...ADAPTER, ...all });
    return this;
  }

  run(program, args, env) {
    const child = spawn(program, args, { cwd: this.lambda.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.lambda.said = (this.lambda.said + chunk).slice(-8000);
        this.lambda.billed.log += chunk.length;
        this.lambda.log.write(chunk);
      });
    }
    child.once('error', (e) => (this.lambda.said += `${program}: ${e.message}`));
    this.children.push(child);
  }

  signal(name) {
    for (const child of this.children) {
      if (child.exitCode === null && child.signalCode === null && child.pid) child.kill(name);
    }
  }

  /** Stands between the instance and the emulator's runtime API. */
  pass(request, response) {
    if (request.url.startsWith('/2020-01-01/extension/')) {
      // The adapter registers as an extension, and hears nothing more till the end.
      if (request.url.endsWith('/register')) {
        response.writeHead(200, { 'lambda-extension-identifier': `i${this.number}`, 'content-type': 'application/json' });
        response.end('{"functionName":"_","functionVersion":"$LATEST","handler":"run.sh"}');
      }
      return;
    }
    // What makes a queue deliver again.
    if (/\/invocation\/[^/]+\/error$/.test(request.url)) this.lambda.errors += 1;
    const next = request.url.endsWith('/invocation/next');
    const { host, ...headers } = request.headers;
    const { port } = this.lambda;
    const to = { host: '127.0.0.1', port, agent: this.agent, path: `/.rt${request.url}` };
    const upstream = http.request({ ...to, method: request.method, headers });
    // Lambda answers a runtime when it has all of a response, and takes all of it, whether anybody still reads it or
    // not. The emulator answers at once, upon which a runtime would ask for more work, and breaks off.
    const whole = request.url.endsWith('/response') && new Promise((resolve) => request.once('close', resolve));
    upstream.on('error', () => whole || response.destroy());
    upstream.on('close', async () => {
      if (!whole) return;
      await whole;
      if (!response.headersSent) response.writeHead(202).end();
    });
    if (next) this.wait();
    upstream.on('response', async (answer) => {
      const told = { ...answer.headers };
      if (next) {
        this.wake();
        // The emulator's own has passed when it comes.
        const ms = this.lambda.seconds * 1000;
        told['lambda-runtime-deadline-ms'] = String(Date.now() + this.lambda.ahead + ms);
        const invocation = this.invocations;
        // What has not answered by then is gone, as on Lambda.
        this.timer = setTimeout(() => invocation === this.invocations && this.busy && this.kill('timed out'), ms);
        this.timer.unref();
      }
      await whole;
      if (response.headersSent) return;
      response.writeHead(answer.statusCode, told);
      answer.pipe(response);
    });
    // Not piped: Node loses a request's `drain` once it has the answer.
    request.on('data', (chunk) => {
      if (whole) this.lambda.billed.bytes += chunk.length;
      if (!upstream.destroyed) upstream.write(chunk);
    });
    request.on('end', () => upstream.destroyed || upstream.end());
    response.on('close', () => response.writableFinished || upstream.destroy());
  }

  /** It has nothing to do: it stands still till it has. */
  wait() {
    clearTimeout(this.timer);
    // Lambda bills each begun millisecond.
    if (this.busy) this.lambda.billed.ms += Math.ceil(performance.now() - this.since);
    this.busy = false;
    this.idle?.();
    // Its question for work is on its way already.
    if (this.lambda.freezes && !this.gone) this.signal('SIGSTOP');
  }

  wake() {
    this.invocations += 1;
    this.lambda.billed.requests += 1;
    this.since = performance.now();
    this.busy = true;
    this.signal('SIGCONT');
  }

  /** As if the machine under it had gone. Another one takes its place. */
  async kill(why = 'killed') {
    if (this.gone) return;
    this.gone = why;
    this.signal('SIGKILL');
    this.api.closeAllConnections();
    this.api.close();
    this.lambda.instances = this.lambda.instances.filter((i) => i !== this);
    if (!this.lambda.ended) await this.lambda.another();
  }

  /** As Lambda ends an instance that has had nothing to do for long: SIGTERM, and soon the end. How they ended. */
  async shutDown() {
    this.gone = 'shut down';
    const ended = this.children.map((child) => once(child, 'exit'));
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const codes = await Promise.all(ended);
    this.api.closeAllConnections();
    this.api.close();
    this.lambda.instances = this.lambda.instances.filter((i) => i !== this);
    await this.lambda.another();
    return codes.map(([code, signal]) => code ?? signal);
  }

  end() {
    this.gone = 'ended';
    this.signal('SIGKILL');
    this.api.closeAllConnections();
    this.api.close();
  }

  /** The most that its processes ever held, in bytes, by program. */
  async memory() {
    const of = async (child) => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return [path.basename(child.spawnfile), Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) * 1024];
    };
    return Object.fromEntries(await Promise.all(this.children.map(of)));
  }
}

export class Lambda {
  /**
   * @param {string} name names the log file in the artifacts
   * @param {object} env the function's variables
   * @param {{mode?: 'lwa'|'lambda', instances?: number, seconds?: number, freezes?: boolean, command?: Function}} how
   *   `seconds`: the function's timeout; `command(port, word)`: another program than the server
   */
  constructor(name, env, { mode = 'lwa', instances = 1, seconds = 900, freezes = true, command } = {}) {
    Object.assign(this, { name, env, mode, wanted: instances, seconds, freezes });
    this.command = command ?? ((port, word) => [binary, word]);
    this.instances = [];
    this.numbers = 0;
    this.said = '';
    /** How often an instance reported an invocation as failed. */
    this.errors = 0;
    /** So many milliseconds the function's clock is before this one. */
    this.ahead = 0;
    /** What is paid for: invocations, milliseconds of them, bytes of answers and of logs. */
    this.billed = { requests: 0, ms: 0, bytes: 0, log: 0 };
  }

  async start() {
    this.folder ??= await mkdtemp(path.join(tmpdir(), 'outlast-lambda-'));
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    mkdirSync(artifacts, { recursive: true });
    if (!existsSync(binary)) throw new Error(`${binary} is missing: \`make build\` makes it`);
    this.log = createWriteStream(path.join(artifacts, `lambda-${this.name}.log`), { flags: 'a' });
    // The emulator wants to stand in a package of Rust's, though it builds none.
    await writeFile(path.join(this.folder, 'Cargo.toml'), '[package]\nname = "function"\nversion = "0.0.0"\n[[bin]]\nname = "function"\npath = "main.rs"\n');
    await writeFile(path.join(this.folder, 'main.rs'), 'fn main() {}');
    const args = ['lambda', 'watch', '--only-lambda-apis', '-A', '127.0.0.1', '-P', String(this.port)];
    this.emulator = spawn(emulator, args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.emulator.stdout, this.emulator.stderr]) stream.on('data', (chunk) => this.log.write(chunk));
    let ended = null;
    this.emulator.once('exit', (code) => (ended = code)).once('error', (e) => (ended = e.message));
    await this.until(async () => {
      if (ended !== null) throw new Error(`${emulator} ended at its start (${ended})`);
      // Asked for nothing, it answers nothing: that it listens is enough.
      const probe = connect(this.port, '127.0.0.1');
      const listens = await Promise.race([once(probe, 'connect').then(() => true), once(probe, 'error').then(() => false)]).catch(() => false);
      probe.destroy();
      return listens;
    }, 'the emulator');
    for (let n = 0; n < this.wanted; n += 1) await this.another();
    if (this.wanted === 0) return this;
    await this.until(async () => (await fetch(`${this.url}/healthz`, { signal: AbortSignal.timeout(10_000) }).catch(() => null))?.ok, 'the function');
    return this;
  }

  async another() {
    const instance = new Instance(this, (this.numbers += 1));
    this.instances.push(instance);
    return instance.start();
  }

  async until(holds, what) {
    for (const until = Date.now() + 20_000; ; ) {
      if (await holds()) return;
      if (Date.now() > until) throw new Error(`${what} did not answer within 20 s: ${this.said}`);
      await delay(25);
    }
  }

  /** Makes the table. */
  async init() {
    this.folder ??= await mkdtemp(path.join(tmpdir(), 'outlast-lambda-'));
    const env = { PATH: process.env.PATH, ...this.env, AWS_LAMBDA_FUNCTION_NAME: '' };
    await promisify(execFile)(binary, ['init'], { cwd: this.folder, env });
  }

  /** Whoever is answering just now. */
  get busy() {
    return this.instances.filter((i) => i.busy);
  }

  /** Gives the function an event that is no request, as the queue does; gives back what came of it. */
  async invoke(event) {
    const body = JSON.stringify(event);
    return fetch(`${this.url}/2015-03-31/functions/${NAME}/invocations`, { method: 'POST', body });
  }

  async stop() {
    this.ended = true;
    for (const instance of this.instances) instance.end();
    if (this.emulator && this.emulator.exitCode === null) {
      const gone = new Promise((resolve) => this.emulator.once('exit', resolve));
      this.emulator.kill('SIGKILL');
      await gone;
    }
  }

  async dispose() {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
