// What every browser test stands on: a server, a page whose every console error fails the test, and the chat in words.
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, test as base } from '@playwright/test';
import { Chat } from './chat.js';
import { artifacts, Server } from './server.js';

/** Chromium's words when a server goes away while a page is open. */
export const CONNECTION_LOST =
  /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)|TypeError: network error/;

export const test = base.extend({
  // One for all tests of a worker: each test is a new user, because each has a new browser context.
  server: [
    async ({}, use, info) => {
      const server = new Server(`worker-${info.workerIndex}`);
      await server.start();
      await use(server);
      await server.dispose();
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  /** What a server of the test's own is told. */
  // Half a second of silence is a long time here, so that an abandoned reply is taken up while the test watches.
  ownEnv: [{ OUTLAST_LEASE_MS: '1000' }, { option: true }],

  /** A server of the test's own, which it may kill and start again. */
  ownServer: async ({ ownEnv }, use, info) => {
    const server = new Server(`own-${info.testId}`, ownEnv);
    await server.start();
    await use(server);
    await server.dispose();
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

  /** Fails on any accessibility fault that axe finds in the page as it is now. */
  axe: async ({ page }, use) => {
    await use(async (what = 'this page') => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      const faults = violations.map((v) => `${v.id}: ${v.help} at ${v.nodes.map((n) => n.target.join(' ')).join(' | ')}`);
      expect(faults, `axe on ${what}`).toEqual([]);
    });
  },
});

export { expect };
