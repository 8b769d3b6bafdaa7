// The door and the admin pages. They need no script, so the same holds with and without it.
import { simulated, ulid } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';
import { hash, Server } from '../support/server.js';

const CODE = 'open sesame, please';
const PASSWORD = 'correct horse battery';

let guarded;

test.beforeAll(async ({}, info) => {
  guarded = new Server(`guarded-${info.project.name}-${info.workerIndex}`, {
    OUTLAST_ACCESS: 'code',
    OUTLAST_ACCESS_CODE_HASH: hash(CODE),
    OUTLAST_ADMIN_PASSWORD_HASH: hash(PASSWORD),
  });
  await guarded.start();
});

test.afterAll(() => guarded?.dispose());

const secret = (page) => page.getByLabel(/code|password/i).and(page.locator('[name=secret]'));

async function signIn(page, words) {
  await secret(page).fill(words);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Sends a message as a script does, and waits for its end. */
async function ask(request, text) {
  const { session_id } = await (await request.post(`${guarded.url}/api/sessions/create`)).json();
  const form = { session_id, turn_id: session_id, text };
  const answer = await request.post(`${guarded.url}/api/chat/send`, { form });
  expect(await answer.text()).toContain('event: end');
  return session_id;
}

/** Hands a job in as a script does, and waits for its end. */
async function handIn(request, prompt, variants) {
  const job_id = ulid();
  const form = { job_id, prompt, variants: String(variants) };
  expect((await request.post(`${guarded.url}/api/jobs/submit`, { form })).status()).toBe(202);
  const status = async () => (await (await request.get(`${guarded.url}/api/jobs/status`, { params: { job_id } })).json()).status;
  await expect.poll(status, { message: 'the job ends', timeout: 20_000 }).toBe('COMPLETE');
  return job_id;
}

/** By how much the page is wider than the window. */
const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

test('the code is asked for, and leads back to where one wanted to go', async ({ page, shot, axe, allowErrors }) => {
  allowErrors(/status of 401/);
  await page.goto(`${guarded.url}/?from=afar`);
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await shot('sign-in');
  await axe('the sign-in');
  await signIn(page, 'nothing like it');
  await expect(page.getByRole('alert')).toHaveText('That did not open. Look it over and try again.');
  await shot('sign-in-wrong');
  await axe('the sign-in after a wrong try');
  await signIn(page, CODE);
  await expect(page).toHaveURL(`${guarded.url}/?from=afar`);
  await expect(page.getByRole('textbox', { name: 'Your message' })).toBeVisible();
});

test('an admin finds a conversation, reads it, and that is noted', async ({ page, shot, axe, context }) => {
  await page.goto(`${guarded.url}/sign-in`);
  await signIn(page, PASSWORD);
  await expect(page.getByRole('heading', { name: 'Sessions', level: 1 })).toBeVisible();
  const words = `Why is cron silent, ${test.info().project.name}?`;
  await ask(context.request, simulated(words, 'markdown tokens=300 rate=0'));
  await ask(context.request, simulated('Letter to the landlord', 'tokens=40 rate=0'));
  await ask(context.request, simulated('A very long title that somebody wrote without ever thinking of the table that has to show it', 'tokens=9 status=400'));
  await page.goto(`${guarded.url}/admin`);
  await expect(page.getByRole('row').filter({ hasText: words })).toContainText('Complete');
  await shot('admin-sessions');
  await axe('the list of sessions');
  await page.getByLabel('Words in the title').fill('CRON silent');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByRole('row').filter({ hasText: 'landlord' })).toHaveCount(0);
  await page.getByRole('link', { name: words }).click();
  await expect(page.getByText('You are reading somebody else’s conversation.')).toBeVisible();
  await expect(page.getByRole('complementary')).toContainText('Claimed');
  await expect(page.getByRole('complementary')).toContainText('Ended: complete');
  await shot('admin-session');
  await shot('admin-session-full', { screenshot: { fullPage: true } });
  await axe('a session');
  if (test.info().project.name !== 'nojs') expect(await page.evaluate(overflow)).toBeLessThanOrEqual(0);
  await page.getByRole('link', { name: 'audit trail', exact: true }).click();
  await expect(page.getByRole('row').nth(1)).toContainText('Read');
  await shot('admin-audit');
  await axe('the audit trail');
});

test('an admin finds a job, reads it, and that is noted', async ({ page, shot, axe, context }) => {
  await page.goto(`${guarded.url}/sign-in`);
  await signIn(page, PASSWORD);
  await expect(page.getByRole('heading', { name: 'Sessions', level: 1 })).toBeVisible();
  const words = `Tide tables, ${test.info().project.name}`;
  const id = await handIn(context.request, `${words}\n/sim tokens=120 rate=0 vary`, 2);
  const menu = page.getByRole('button', { name: 'Administration' });
  if (await menu.isVisible()) await menu.click();
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Jobs', level: 1 })).toBeVisible();
  const row = page.getByRole('row').filter({ hasText: words });
  await expect(row).toContainText('Complete');
  await shot('admin-jobs');
  await axe('the list of jobs');
  // Another day has none.
  await page.getByLabel('Day').fill('2026-01-01');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByText('None.', { exact: true })).toBeVisible();
  await axe('a day without jobs');
  await page.goBack();

  await row.getByRole('link', { name: words }).click();
  await expect(page).toHaveURL(`${guarded.url}/admin/jobs/${id}`);
  await expect(page.getByText('You are reading somebody else’s job.')).toBeVisible();
  await expect(page.getByRole('heading', { level: 2 })).toContainText(words);
  const results = page.locator('.prose-plain');
  await expect(results).toHaveCount(1);
  const first = await results.innerText();
  await shot('admin-job');
  await axe('a job');
  if (test.info().project.name !== 'nojs') expect(await page.evaluate(overflow)).toBeLessThanOrEqual(0);
  await page.getByRole('link', { name: 'Show' }).click();
  await expect(page).toHaveURL(/\?variant=1#v2$/);
  await expect(results).toHaveCount(1);
  expect(await results.innerText()).not.toBe(first);
  // To look is not to touch: nothing here runs, cancels or asks again.
  await expect(page.getByRole('main').getByRole('button')).toHaveCount(0);

  await page.getByRole('link', { name: 'audit trail', exact: true }).click();
  await expect(page.getByRole('row').filter({ hasText: id })).toHaveCount(2);
  await expect(page.getByRole('row').nth(1)).toContainText(id);
  await shot('admin-audit-jobs');
  await axe('the audit trail with jobs');
});

test('who is no admin is told so, and an admin can leave', async ({ page, shot, axe, allowErrors }) => {
  allowErrors(/status of 403/);
  await page.goto(`${guarded.url}/sign-in`);
  await signIn(page, CODE);
  await expect(page.getByRole('textbox', { name: 'Your message' })).toBeVisible();
  const answer = await page.goto(`${guarded.url}/admin`);
  expect(answer.status()).toBe(403);
  await expect(page.getByRole('heading', { name: 'Not for everybody' })).toBeVisible();
  await shot('admin-refused');
  await axe('the refusal');
  await page.getByRole('link', { name: 'Sign in' }).click();
  await signIn(page, PASSWORD);
  await expect(page).toHaveURL(`${guarded.url}/admin`);
  const menu = page.getByRole('button', { name: 'Administration' });
  if (await menu.isVisible()) await menu.click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(page).toHaveURL(/\/sign-in$/);
  expect((await page.goto(`${guarded.url}/admin`)).status()).toBe(403);
});

test('dark, too', async ({ page, shot, axe, context }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(`${guarded.url}/sign-in`);
  await axe('the sign-in in the dark');
  await signIn(page, PASSWORD);
  const id = await ask(context.request, simulated('In the dark', 'tokens=60 rate=0'));
  await page.goto(`${guarded.url}/admin`);
  await axe('the list in the dark');
  await page.goto(`${guarded.url}/admin/sessions/${id}`);
  await shot('admin-session-dark');
  await axe('a session in the dark');
});
