// What goes to Lambda, as it goes there: the archive that `make lambda` made, and the container image of its Dockerfile,
// run by hand, since no container engine is needed for what an image is.
import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Server } from './server.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const dist = path.join(root, 'dist/lambda');
/** What runs programs for arm64; nothing where the machine does. */
const emulator = process.env.OUTLAST_QEMU_AARCH64 || null;

/** The archive's files in a folder of their own. */
export async function unpacked() {
  const folder = await mkdtemp(path.join(tmpdir(), 'outlast-zip-'));
  await promisify(execFile)('python3', ['-m', 'zipfile', '-e', path.join(dist, 'outlast.zip'), folder]);
  // Python forgets what may be run.
  await chmod(path.join(folder, 'outlast'), 0o755);
  return { folder, dispose: () => rm(folder, { recursive: true, force: true }) };
}

/** The server in that archive. */
export class Unpacked extends Server {
  constructor(name, folder, env) {
    super(name, { ...env, OUTLAST_SITE: '' });
    this.program = path.join(folder, 'outlast');
  }

  get command() {
    return emulator ? [emulator, this.program, ...this.arguments] : [this.program, ...this.arguments];
  }
}

/** The image: its root file system, its variables, its user and its command, as the Dockerfile says. */
export class Image {
  env = {};

  async build() {
    this.root = await mkdtemp(path.join(tmpdir(), 'outlast-image-'));
    await this.base();
    const text = await readFile(path.join(root, 'infra/lambda/Dockerfile'), 'utf8');
    const lines = text.replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ').split('\n').filter(Boolean);
    for (const line of lines) {
      const [, word, rest] = /^([A-Z]+) (.*)$/.exec(line);
      await this.apply(word, rest.trim());
    }
    if (emulator) await copyFile(emulator, path.join(this.root, 'emulator'));
    return this;
  }

  /** What it stands on: certificates, a user, a folder for what is temporary; no shell, no library. */
  async base() {
    for (const folder of ['tmp', 'etc/ssl/certs']) await mkdir(path.join(this.root, folder), { recursive: true });
    await chmod(path.join(this.root, 'tmp'), 0o1777);
    await writeFile(path.join(this.root, 'etc/passwd'), 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n');
    const certificates = 'etc/ssl/certs/ca-certificates.crt';
    await copyFile(`/${certificates}`, path.join(this.root, certificates));
  }

  async apply(word, rest) {
    switch (word) {
      case 'COPY': {
        // From another image, which is not here: the adapter's program, which has its own tests.
        if (rest.startsWith('--from=adapter ')) return;
        const [from, to] = rest.split(/\s+/);
        await cp(path.join(dist, from), path.join(this.root, to), { recursive: true });
        return;
      }
      case 'ENV':
        for (const pair of rest.split(/\s+/)) {
          const [, name, value] = /^([^=]+)=(.*)$/.exec(pair);
          this.env[name] = value;
        }
        return;
      case 'WORKDIR':
        this.folder = rest;
        return;
      case 'USER':
        this.user = rest.split(':');
        return;
      case 'ENTRYPOINT':
        this.program = JSON.parse(rest);
        return;
      case 'CMD':
        this.words = JSON.parse(rest);
        return;
      case 'FROM':
      case 'EXPOSE':
        return;
      default:
        throw new Error(`a Dockerfile's ${word} is not known here`);
    }
  }

  /** What runs it, as it is or with other words. */
  command(words = this.words) {
    const [user, group] = this.user;
    const ids = ['--user', `--map-user=${user}`, `--map-group=${group}`];
    const inside = [...(emulator ? ['/emulator'] : []), ...this.program, ...words];
    return ['unshare', ...ids, `--root=${this.root}`, `--wd=${this.folder}`, ...inside];
  }

  dispose() {
    return rm(this.root, { recursive: true, force: true });
  }
}

/** A container of that image: no variable but its own and what it is given. */
export class Container extends Server {
  constructor(name, image, env, words) {
    super(name, env);
    Object.assign(this, { image, words });
  }

  get command() {
    return this.image.command(this.words);
  }

  get place() {
    const given = { PATH: process.env.PATH, ...this.image.env, OUTLAST_ADDR: `127.0.0.1:${this.port}`, ...this.env };
    return { cwd: this.data, env: given };
  }
}
