// Without JavaScript: forms, redirects and a page that grows.
import { plain, simulated } from '../support/chat.js';
import { CONNECTION_LOST, expect, test } from '../support/fixtures.js';

/** Fills the form and sends it. The page that follows grows with the reply, so its `load` comes only at the end. */
async function send(chat, text) {
  await chat.box.fill(text);
  await chat.sendButton.click({ noWaitAfter: true });
  await expect(chat.page).toHaveURL(/\/c\/[^/]+\/live$/);
}

/** The page the session has at rest. */
async function settle(chat) {
  const id = await chat.sessionId();
  await expect
    .poll(async () => (await chat.stored()).active_turn ?? null, { timeout: 20_000, message: 'the turn ends' })
    .toBeNull();
  await chat.page.goto(new URL(`/c/${id}`, chat.page.url()).href);
}

test('a message is sent by form, the page grows with the reply, and it is stored', async ({ chat, page, shot }) => {
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'Ask, and walk away.' })).toBeVisible();
  await shot('empty');
  await send(chat, simulated('Without a script', 'tokens=400 rate=40 ttft=100'));
  await expect(chat.question('Without a script')).toBeVisible();
  await expect.poll(async () => (await chat.shown()).length, { message: 'text arrives' }).toBeGreaterThan(20);
  const early = (await chat.shown()).length;
  await shot('growing');
  await expect.poll(async () => (await chat.shown()).length, { message: 'the page grows' }).toBeGreaterThan(early + 40);
  const { active_turn } = await chat.stored();
  expect(active_turn, 'it grew while the reply ran').toBeTruthy();
  await settle(chat);
  await expect(chat.question('Without a script')).toBeVisible();
  const message = await chat.shownIsStored();
  expect(message.outcome).toBe('complete');
  await shot('complete');

  await send(chat, simulated('And on'));
  await settle(chat);
  await expect(chat.replies).toHaveCount(2);
  await chat.shownIsStored();
});

test('a reply is stopped by form', async ({ chat, page, shot }) => {
  await page.goto('/');
  await send(chat, simulated('Stop by form', 'tokens=2000 rate=40'));
  await expect.poll(async () => (await chat.shown()).length).toBeGreaterThan(20);
  await page.getByRole('button', { name: 'Stop', exact: true }).first().click({ noWaitAfter: true });
  await settle(chat);
  await expect(page.getByText('Stopped.', { exact: true })).toBeVisible();
  await shot('stopped');
  expect((await chat.shownIsStored()).outcome).toBe('stopped');
});

test('a page opened while a reply runs says that it looks again', async ({ chat, page, context }) => {
  await page.goto('/');
  await send(chat, simulated('Looked at from the side', 'tokens=2000 rate=40'));
  const id = await chat.sessionId();
  const other = await context.newPage();
  await other.goto(`/c/${id}`);
  await expect(other.getByText('This page looks again every 3 s until the reply is done.')).toBeVisible();
  await other.getByRole('button', { name: 'Stop', exact: true }).first().click({ noWaitAfter: true });
  await settle(chat);
});

test('a failed reply is tried again by form', async ({ chat, page }) => {
  await page.goto('/');
  await send(chat, simulated('Again by form', 'tokens=40 rate=0 status=529 times=4 retry-after=0'));
  await settle(chat);
  await expect(page.getByText('Claude is overloaded just now.')).toBeVisible();
  await page.getByRole('button', { name: 'Try again' }).click({ noWaitAfter: true });
  await expect(page).toHaveURL(/\/live$/);
  await settle(chat);
  await expect(page.getByText('2 of 2')).toBeVisible();
  expect(plain((await chat.shownIsStored()).text).length).toBeGreaterThan(0);
});

test('a chat is renamed, deleted and brought back by form', async ({ chat, page, shot }) => {
  await page.goto('/');
  await send(chat, simulated('By hand'));
  await settle(chat);
  const menu = page.getByRole('dialog', { name: 'This chat' });
  await page.getByRole('button', { name: 'Rename, delete' }).click();
  await menu.getByRole('textbox', { name: 'Title' }).fill('Named by form');
  await menu.getByRole('button', { name: 'Rename' }).click();
  await expect(chat.row('Named by form')).toBeVisible();
  await expect(page.getByRole('heading', { level: 1, name: 'Named by form' })).toBeVisible();

  await page.getByRole('button', { name: 'Rename, delete' }).click();
  await menu.getByRole('button', { name: 'Delete this chat' }).click();
  await expect(page.getByText(/Deleted “Named by form/)).toBeVisible();
  await shot('deleted');
  await expect(chat.row('Named by form')).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(chat.row('Named by form')).toBeVisible();
});

test('an empty message is refused in words, on a page', async ({ chat, page }) => {
  await page.goto('/');
  await chat.sendButton.click();
  await expect(page).toHaveURL(/\?error=/);
  await expect(page.getByRole('heading', { name: 'Ask, and walk away.' })).toBeVisible();
});

test('the theme is chosen by form', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/');
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('a stopped reply is continued by form', async ({ chat, page }) => {
  await page.goto('/');
  await send(chat, simulated('Continued by form', 'tokens=300 rate=60'));
  await expect.poll(async () => (await chat.shown()).length).toBeGreaterThan(60);
  await page.getByRole('button', { name: 'Stop', exact: true }).first().click({ noWaitAfter: true });
  await settle(chat);
  const before = await chat.shown();
  await page.getByRole('button', { name: 'Continue', exact: true }).click({ noWaitAfter: true });
  await expect(page).toHaveURL(/\/live$/);
  await settle(chat);
  await expect(page.getByText('2 of 2')).toBeVisible();
  const message = await chat.shownIsStored();
  expect(plain(message.text).startsWith(before)).toBe(true);
  expect(message).toMatchObject({ outcome: 'complete' });
  expect(plain(message.text).length).toBeGreaterThan(before.length);
});

for (const [how, signal] of [
  ['is restarted', 'SIGTERM'],
  ['is killed', 'SIGKILL'],
]) {
  test(`the server ${how} under a page that grows: one looks again, and it goes on`, async ({
    ownServer,
    chat,
    page,
    shot,
    allowErrors,
  }) => {
    allowErrors(CONNECTION_LOST);
    await page.goto(ownServer.url);
    // Paragraph by paragraph.
    await send(chat, simulated('Looked at again', 'tokens=600 rate=50'));
    await expect.poll(async () => (await chat.shown()).length).toBeGreaterThan(100);
    const before = await chat.shown();
    await ownServer.stop(signal);
    // What was shown stays.
    expect((await chat.shown()).startsWith(before)).toBe(true);
    if (signal === 'SIGTERM') {
      await expect(page.getByText('The reply goes on meanwhile; you will see all of it.')).toBeVisible();
      await shot('restarted');
    }
    await ownServer.start();
    // A page that the server could still end looks again by itself; one that just broke off has the way to.
    await page.getByRole('link', { name: 'Look again' }).first().click({ noWaitAfter: true });
    await expect.poll(async () => (await chat.shown()).length, { timeout: 15_000 }).toBeGreaterThan(before.length + 40);
    expect((await chat.shown()).startsWith(before)).toBe(true);
    await settle(chat);
    const message = await chat.shownIsStored();
    expect(message).toMatchObject({ outcome: 'complete', seams: [{ planned: signal === 'SIGTERM' }] });
    await expect(page.getByText('Picked up where it left off')).toHaveCount(signal === 'SIGTERM' ? 0 : 1);
  });
}
