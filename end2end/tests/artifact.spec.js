// What is deployed, before it is: the archive's own executable, for its own processor, and the image.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Container, Image, Unpacked, unpacked } from '../support/artifact.js';
import { simulated, ulid } from '../support/chat.js';
import { expect, test as base } from '../support/fixtures.js';
import { DynamoDb, keptAt, Ministack } from '../support/store.js';
import { Server } from '../support/server.js';

const test = base.extend({
  /** A table and Claude, and what a server needs to find them. */
  around: async ({ simulator }, use) => {
    const database = await new DynamoDb().start();
    const env = { ...simulator.client, ...keptAt(database.port), OUTLAST_SECRET: 'for-the-tests-alone-and-long-enough-for-that' };
    const maker = new Server('init', env);
    await maker.init();
    await use(env);
    await maker.dispose();
    await database.stop();
  },
});

async function talks(chat, url) {
  await chat.open(url);
  await chat.send(simulated('From what is deployed', 'tokens=60 rate=0'));
  await chat.ended('complete', { timeout: 30_000 });
  await chat.shownIsStored();
}

test('the archive holds what it needs, and answers', async ({ around, chat }) => {
  const { folder, dispose } = await unpacked();
  expect((await readdir(folder)).sort()).toEqual(['bootstrap', 'outlast', 'run.sh', 'site']);
  const header = await readFile(path.join(folder, 'outlast'));
  // An ELF file says for which processor it is: 183 is arm64.
  expect([header.subarray(1, 4).toString(), header.readUInt16LE(18)]).toEqual(['ELF', 183]);
  const server = await new Unpacked('archive', folder, around).start();
  await talks(chat, server.url);
  await server.dispose();
  await dispose();
});

test('the image serves, as a user without rights, where there is nothing else', async ({ around, chat }) => {
  const image = await new Image().build();
  const server = await new Container('image', image, around).start();
  await talks(chat, server.url);
  const status = await readFile(`/proc/${server.child.pid}/status`, 'utf8');
  expect(status).toMatch(/^CapEff:\t0+$/m);
  await server.dispose();
  await image.dispose();
});

test('the image is a worker too', async ({ around, page }) => {
  test.slow();
  const [image, stack] = [await new Image().build(), await new Ministack().start()];
  const env = { ...around, ...stack.client };
  const maker = new Server('init', env);
  await maker.init();
  const server = await new Container('image-serves', image, env).start();
  const worker = await new Container('image-works', image, env, ['worker']).run();
  const job = ulid();
  const form = { job_id: job, prompt: simulated('By a worker', 'tokens=20 rate=0'), variants: '1' };
  expect((await page.request.post(`${server.url}/api/jobs/submit`, { form })).status()).toBe(202);
  const status = async () => (await (await page.request.get(`${server.url}/api/jobs/status?job_id=${job}`)).json()).status;
  await expect.poll(status, { timeout: 30_000 }).toBe('COMPLETE');
  for (const one of [worker, server, maker]) await one.dispose();
  await stack.stop();
  await image.dispose();
});
