// Browser tests against the built bundle: the real server with its embedded store and its simulator, one a worker.
import { defineConfig } from '@playwright/test';

const chromium = process.env.OUTLAST_CHROMIUM ?? '/usr/bin/chromium';

export default defineConfig({
  testDir: 'tests',
  outputDir: 'artifacts/results',
  timeout: 60_000,
  expect: { timeout: 15_000 },
  // A test that passes only the second time has found something.
  retries: 0,
  // A browser keeps two cores busy by itself: with two workers on them nothing ends sooner, and every wait is longer.
  workers: '50%',
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  reporter: [['list'], ['./support/summary.js']],
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'Europe/Vienna',
    // Pictures and copies of the page at every step cost as much again as the test.
    trace: { mode: 'retain-on-failure', screenshots: false, snapshots: false, sources: false },
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: chromium,
      // Containers have no sandbox to give, and a test browser has nobody to call home to.
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    {
      name: 'desktop',
      testIgnore: ['nojs.spec.js', 'phone.spec.js', 'lambda.spec.js', 'artifact.spec.js'],
      use: { viewport: { width: 1440, height: 900 } },
    },
    {
      name: 'phone',
      testMatch: ['phone.spec.js', 'accessible.spec.js', 'admin.spec.js'],
      use: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
    },
    {
      name: 'nojs',
      testMatch: ['nojs.spec.js', 'admin.spec.js'],
      use: { viewport: { width: 1440, height: 900 }, javaScriptEnabled: false },
    },
  ],
});
