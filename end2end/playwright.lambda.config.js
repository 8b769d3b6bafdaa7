// The same tests of the chat, and Lambda's own, through Lambda's doors: see support/lambda.js.
import { defineConfig } from '@playwright/test';
import base from './playwright.config.js';

const [desktop, , nojs] = base.projects;
const talks = ['chat.spec.js', 'sessions.spec.js', 'lambda.spec.js'];

export default defineConfig({
  ...base,
  outputDir: 'artifacts/lambda-results',
  timeout: 60_000,
  projects: [
    ...['lwa', 'lambda'].map((platform) => ({ name: platform, testMatch: talks, use: { ...desktop.use, platform } })),
    // Without JavaScript nobody sends and follows in one: the page that grows is what a reply is written in.
    { name: 'lwa-nojs', testMatch: 'nojs.spec.js', grepInvert: /the server is/, use: { ...nojs.use, platform: 'lwa' } },
    { name: 'artifact', testMatch: 'artifact.spec.js', use: desktop.use },
  ],
});
