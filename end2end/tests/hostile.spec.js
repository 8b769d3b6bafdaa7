// What a model or a person writes never becomes a script, a request or a report, wherever it is shown.
import { Chat, ulid } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';
import { HOSTILE } from '../support/hostile.js';
import { says } from '../support/says.js';
import { hash, Server } from '../support/server.js';

const EACH = 60;
const batches = [];
for (let i = 0; i < HOSTILE.length; i += EACH) batches.push(HOSTILE.slice(i, i + EACH));

/** Counts what must not happen in any page of a context. */
async function watched(context, origin) {
  const seen = { ran: [], left: [], reports: [] };
  await context.exposeBinding('__ran', (_, what) => seen.ran.push(what));
  await context.exposeBinding('__report', (_, what) => seen.reports.push(what));
  await context.addInitScript(() => {
    for (const name of ['alert', 'confirm', 'prompt', 'print']) window[name] = (...a) => window.__ran(`${name}(${a})`);
    document.addEventListener('securitypolicyviolation', (e) => {
      window.__report(`${e.violatedDirective} ${e.blockedURI} ${e.sample} at ${document.location.pathname}`);
    });
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== 'data:') seen.left.push(request.url());
  });
  context.on('dialog', (dialog) => {
    seen.ran.push(dialog.message());
    void dialog.dismiss();
  });
  return seen;
}

test.describe('the hostile corpus', () => {
  let api;
  let server;
  const password = 'correct horse battery';

  test.beforeAll(async ({}, info) => {
    api = await says(batches.map((batch) => batch.join('\n\n')));
    server = new Server(`hostile-${info.workerIndex}`, {
      ANTHROPIC_BASE_URL: api.url,
      ANTHROPIC_API_KEY: 'sk-none',
      OUTLAST_ADMIN_PASSWORD_HASH: hash(password),
    });
    await server.start();
  });

  test.afterAll(async () => {
    await server?.dispose();
    await api?.close();
  });

  test('runs nothing, asks for nothing and breaks no rule, in chats, titles and admin pages', async ({ browser }) => {
    test.setTimeout(300_000);
    expect(HOSTILE.length).toBeGreaterThanOrEqual(500);
    const context = await browser.newContext({ baseURL: server.url });
    const seen = await watched(context, server.url);
    const page = await context.newPage();
    const chat = new Chat(page);
    const sessions = [];
    for (const [n, batch] of batches.entries()) {
      await chat.open('/');
      // As a question, and as its answer while it is written.
      await chat.send(`Give me text ${n}\n\n${batch.join('\n\n')}`);
      await chat.ended('complete', { timeout: 30_000 });
      const id = await chat.sessionId();
      sessions.push(id);
      const stored = (await chat.stored()).messages.at(-1).text;
      expect(stored, 'it is hostile still').toBe(batch.join('\n\n'));
      // As it is stored.
      await chat.open(`/c/${id}`);
      await expect(chat.reply.locator('.written')).toBeVisible();
    }
    // As titles: in the bar, the sidebar, the window and the admins' list.
    const titled = [];
    for (const title of HOSTILE) {
      const made = await (await context.request.post('/api/sessions/create')).json();
      const form = { session_id: made.session_id, title: title.slice(0, 200) };
      const answer = await context.request.post('/api/sessions/rename', { form });
      if (answer.status() === 200) titled.push(made.session_id);
    }
    expect(titled.length).toBeGreaterThan(HOSTILE.length - 10);
    for (let i = 0; i < titled.length; i += 45) await chat.open(`/c/${titled[i]}`);
    await page.goto('/sign-in');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible();
    let rows = 0;
    for (;;) {
      rows += await page.locator('tbody tr:not(.day)').count();
      const older = page.getByRole('link', { name: 'Older' });
      if ((await older.count()) === 0) break;
      await older.click();
      await page.waitForLoadState();
    }
    expect(rows).toBeGreaterThanOrEqual(titled.length);
    for (const id of sessions) {
      await page.goto(`/admin/sessions/${id}`);
      await expect(page.locator('.prose').first()).toBeVisible();
    }
    // As what an admin looks for, which stands in the form and in the audit list.
    for (const words of HOSTILE.filter((_, i) => i % 20 === 0)) {
      await page.goto(`/admin?q=${encodeURIComponent(words)}`);
    }
    await page.goto('/admin/audit');
    // And as an address.
    for (const path of ['/c/%3Cscript%3Ealert(1)%3C%2Fscript%3E', '/?error=%22%3E%3Cscript%3Ealert(1)%3C/script%3E']) {
      await page.goto(path);
    }
    // What was blocked or delayed would have come by now: a timer and a frame have passed in this page.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))));
    expect(seen).toEqual({ ran: [], left: [], reports: [] });
    // And would have been seen.
    await page.evaluate(() => {
      window.alert('seen');
      new Image().src = 'https://evil.example/seen';
      const script = document.createElement('script');
      script.textContent = '1';
      document.body.append(script);
    });
    await expect.poll(() => [seen.ran.length, seen.left.length, seen.reports.length]).toEqual([1, 1, 1]);
    await context.close();
  });

  test('nor in jobs, and where an admin reads them', async ({ browser }) => {
    test.setTimeout(300_000);
    const context = await browser.newContext({ baseURL: server.url });
    const seen = await watched(context, server.url);
    const page = await context.newPage();
    const chat = new Chat(page);
    // Whose the jobs are.
    await chat.open('/');
    /** A list from its first page to its last. */
    const eachPage = async (path, see) => {
      await page.goto(path);
      for (;;) {
        await see();
        const older = page.getByRole('link', { name: 'Older' });
        if ((await older.count()) === 0) break;
        await older.click();
        await page.waitForLoadState();
      }
    };
    // As what a job was asked, as its title, and as its results: of all of them, of one, and two compared.
    const jobs = [];
    const handIn = async (prompt) => {
      const job_id = ulid();
      const form = { job_id, prompt, variants: '2' };
      expect((await context.request.post('/api/jobs/submit', { form })).status()).toBe(202);
      jobs.push(job_id);
    };
    for (const [n, batch] of batches.entries()) await handIn(`Give me text ${n}\n\n${batch.join('\n\n')}`);
    for (const words of HOSTILE.filter((_, i) => i % 8 === 0)) await handIn(words);
    for (const [n, id] of jobs.entries()) {
      const job = async () => (await context.request.get('/api/jobs/status', { params: { job_id: id } })).json();
      await expect.poll(async () => (await job()).status, { timeout: 60_000 }).toBe('COMPLETE');
      if (n >= batches.length) continue;
      const result = await (await context.request.get(`/jobs/${id}/0/text`)).text();
      expect(result, 'it is hostile still').toBe(batches[n].join('\n\n'));
      for (const query of ['', '?v=0', '?compare=0,1']) await chat.open(`/jobs/${id}${query}`);
    }
    await eachPage('/jobs', async () => chat.alive());
    await page.goto('/sign-in');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible();
    let listed = 0;
    await eachPage('/admin/jobs', async () => {
      listed += await page.locator('tbody tr:not(.day)').count();
    });
    expect(listed).toBe(jobs.length);
    for (const id of jobs.slice(0, batches.length)) {
      await page.goto(`/admin/jobs/${id}`);
      await expect(page.locator('.prose-plain').first()).toBeVisible();
    }
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))));
    expect(seen).toEqual({ ran: [], left: [], reports: [] });
    await context.close();
  });

  test('nor without JavaScript, on the page that grows', async ({ browser }) => {
    test.setTimeout(180_000);
    const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
    const left = [];
    context.on('request', (request) => {
      if (new URL(request.url()).origin !== server.url) left.push(request.url());
    });
    const page = await context.newPage();
    for (const [n] of batches.entries()) {
      await page.goto('/');
      await page.getByRole('textbox', { name: 'Your message' }).fill(`Give me text ${n}`);
      await page.getByRole('button', { name: 'Send', exact: true }).click();
      await expect(page.getByRole('link', { name: 'Write on' })).toBeVisible({ timeout: 20_000 });
    }
    expect(left).toEqual([]);
    await context.close();
  });
});
