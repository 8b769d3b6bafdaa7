// The same tests of the chat, and Lambda's own, through Lambda's doors: see support/lambda.js.
import { defineConfig } from '@playwright/test';
import base from './playwright.config.js';

const [desktop] = base.projects;
const talks = ['chat.spec.js', 'sessions.spec.js', 'lambda.spec.js'];

export default defineConfig({
  ...base,
  outputDir: 'artifacts/lambda-results',
  timeout: 60_000,
  projects: [
    ...['lwa', 'lambda'].map((platform) => ({ name: platform, testMatch: talks, use: { ...desktop.use, platform } })),
    { name: 'artifact', testMatch: 'artifact.spec.js', use: desktop.use },
  ],
});
