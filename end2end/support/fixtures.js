// What every browser test stands on: a server, a page whose every console error fails the test, and the chat in words.
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, test as base } from '@playwright/test';
import { Chat } from './chat.js';
import { Relay } from './relay.js';
import { Calls, Units } from './bill.js';
import { Lambda } from './lambda.js';
import { artifacts, Server, Simulator } from './server.js';
import { DynamoDb, keptAt, Ministack } from './store.js';

/** Chromium's words when a server goes away while a page is open. */
export const CONNECTION_LOST =
  /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)|TypeError: network error/;

/** A function with all that it needs: a table, Claude, and a queue if it is wanted. */
async function lambda(name, mode, { queue, metered, variables, ...how }) {
  const [database, simulator] = [new DynamoDb(), new Simulator(`${name}-simulator`)];
  const stack = queue ? new Ministack() : null;
  await Promise.all([database.start(), simulator.start(), stack?.start()]);
  const units = metered && (await new Units(database.port).start());
  const calls = metered && (await new Calls(stack.port).start());
  const env = {
    ...simulator.client,
    ...keptAt(units?.port ?? database.port),
    ...stack?.client,
    ...(calls && { AWS_ENDPOINT_URL_SQS: calls.url }),
    OUTLAST_SECRET: 'for-the-tests-alone-and-long-enough-for-that',
    OUTLAST_ACCESS: 'open',
    OUTLAST_DAILY_USD: '1000',
    OUTLAST_TURNS_A_MINUTE: '0',
    OUTLAST_TURNS_A_MINUTE_ADDRESS: '0',
    OUTLAST_LEASE_MS: '3000',
  };
  const it = new Lambda(name, env, { mode, ...how });
  it.queue = stack;
  await it.init();
  Object.assign(it.env, variables);
  await it.start();
  const dispose = async () => {
    await it.dispose();
    await Promise.all([database.stop(), simulator.dispose(), stack?.stop(), units?.stop(), calls?.stop()]);
  };
  return { url: it.url, lambda: it, database, simulator, units, calls, dispose };
}

export const test = base.extend({
  /** What the server runs on: itself, or Lambda with the Web Adapter (`lwa`), or without (`lambda`). */
  platform: ['server', { option: true, scope: 'worker' }],

  // One for all tests of a worker: each test is a new user, because each has a new browser context.
  server: [
    async ({ platform }, use, info) => {
      if (platform !== 'server') {
        // As many instances as a page and its stream may want at once.
        const all = await lambda(`${platform}-${info.workerIndex}`, platform, { instances: 6 });
        await use(all);
        return all.dispose();
      }
      const server = new Server(`worker-${info.workerIndex}`);
      await server.start();
      await use(server);
      await server.dispose();
    },
    { scope: 'worker' },
  ],

  /** How many instances `onLambda` has, and for how many seconds they answer. */
  how: [{ instances: 2 }, { option: true }],

  /** A function of the test's own. */
  onLambda: async ({ platform, how }, use, info) => {
    const all = await lambda(`${platform}-${info.testId}`, platform, how);
    await use({ ...all, instances: () => all.lambda.instances });
    await all.dispose();
  },

  baseURL: async ({ server }, use) => use(server.url),

  /** Claude, as far as the servers of the tests' own know: it lives on when they are killed. */
  simulator: [
    async ({}, use, info) => {
      const simulator = new Simulator(`simulator-${info.workerIndex}`);
      await simulator.start();
      await use(simulator);
      await simulator.dispose();
    },
    { scope: 'worker' },
  ],

  /** More variables for `ownServer`. */
  variables: [{}, { option: true }],

  /** A server of the test's own, which it may kill and start again. */
  ownServer: async ({ simulator, variables }, use, info) => {
    const server = new Server(`own-${info.testId}`, { ...simulator.client, ...variables });
    await server.start();
    await use(server);
    await server.dispose();
  },

  /** A proxy before `ownServer`. */
  relay: async ({ ownServer }, use) => {
    const relay = await new Relay(ownServer.port).start();
    await use(relay);
    await relay.stop();
  },

  /** Call it with a pattern to allow console errors that match; Chromium reports every 4xx answer as one. */
  allowErrors: [
    async ({ context }, use) => {
      const allowed = [];
      const seen = [];
      context.on('console', (message) => {
        const text = message.text();
        if (message.type() === 'error' || /hydrat/i.test(text)) seen.push(`${text} (${message.location().url})`);
      });
      context.on('weberror', (error) => seen.push(String(error.error())));
      await use((pattern) => allowed.push(pattern));
      const unexpected = seen.filter((line) => !allowed.some((pattern) => pattern.test(line)));
      expect(unexpected, 'console errors and hydration warnings').toEqual([]);
    },
    { auto: true },
  ],

  chat: async ({ page }, use) => use(new Chat(page)),

  /** Keeps a picture of this state among the artefacts. */
  shot: async ({ page }, use, info) => {
    await use(async (name, options = {}) => {
      const file = path.join(artifacts, 'screens', `${info.project.name}-${name}.png`);
      await (options.page ?? page).screenshot({ path: file, animations: 'disabled', ...options.screenshot });
    });
  },

  /** The same in both themes, on a desktop and on a phone. */
  shots: async ({ page, shot }, use) => {
    await use(async (name, at) => {
      const viewport = page.viewportSize();
      for (const [width, size] of [
        ['wide', { width: 1440, height: 900 }],
        ['narrow', { width: 390, height: 844 }],
      ]) {
        await page.setViewportSize(size);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          await at?.scrollIntoViewIfNeeded();
          await shot(`${name}-${width}-${colorScheme}`);
        }
      }
      await page.emulateMedia({ colorScheme: null });
      await page.setViewportSize(viewport);
    });
  },

  /** Fails on any accessibility fault that axe finds in the page as it is now. */
  axe: async ({ page, javaScriptEnabled }, use) => {
    await use(async (what = 'this page') => {
      // It is a script itself.
      if (javaScriptEnabled === false) return;
      const { violations } = await new AxeBuilder({ page }).analyze();
      const faults = violations.map((v) => `${v.id}: ${v.help} at ${v.nodes.map((n) => n.target.join(' ')).join(' | ')}`);
      expect(faults, `axe on ${what}`).toEqual([]);
    });
  },
});

export { expect };
