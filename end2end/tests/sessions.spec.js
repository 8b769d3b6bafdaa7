// The sidebar: titles, renaming, deleting with undo; and branches inside a chat.
import { Chat, simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

test('chats stand under their day, newest first, named by their first message', async ({ chat, page }) => {
  await chat.open('/');
  for (const name of ['Alpha', 'Beta']) {
    await page.goto('/');
    await chat.alive();
    await chat.send(simulated(name));
    await chat.ended();
  }
  await page.goto('/');
  await chat.alive();
  await expect(chat.sidebar.getByRole('heading', { name: 'Today' })).toBeVisible();
  const rows = chat.sidebar.getByRole('link', { name: /^(Alpha|Beta)/ });
  await expect(rows).toHaveText([/^Beta/, /^Alpha/]);
  const list = await (await page.request.get('/api/sessions/list')).json();
  expect(list.sessions.map((s) => s.title.split(' ')[0])).toEqual(['Beta', 'Alpha']);
  for (const { title } of list.sessions) expect([...title].length).toBeLessThanOrEqual(60);
});

test('a chat is renamed, and the name stays', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Old name'));
  await chat.ended();
  const row = chat.row(/^Old name/);
  await row.hover();
  await row.getByRole('button', { name: 'Rename' }).click();
  const title = chat.sidebar.getByRole('textbox', { name: 'Title' });
  await expect(title).toBeFocused();
  await shot('renaming');
  await title.fill('A better name');
  await title.press('Enter');
  await expect(chat.row('A better name')).toBeVisible();
  await expect(page.getByRole('heading', { level: 1, name: 'A better name' })).toBeVisible();
  await page.reload();
  await chat.alive();
  await expect(chat.row('A better name')).toBeVisible();
  await expect(page).toHaveTitle(/A better name/);
  // A further message does not bring the old name back.
  await chat.send(simulated('Something else'));
  await chat.ended();
  await expect(chat.row('A better name')).toBeVisible();
});

test('Escape leaves renaming and changes nothing', async ({ chat }) => {
  await chat.open('/');
  await chat.send(simulated('Unchanged'));
  await chat.ended();
  const row = chat.row(/^Unchanged/);
  await row.hover();
  await row.getByRole('button', { name: 'Rename' }).click();
  const title = chat.sidebar.getByRole('textbox', { name: 'Title' });
  await title.fill('Never mind');
  await title.press('Escape');
  await expect(chat.row(/^Unchanged/)).toBeVisible();
  const { session } = await chat.stored();
  expect(session.title).toMatch(/^Unchanged/);
});

test('a deleted chat is gone at once, and Undo brings it back', async ({ chat, page, shot, allowErrors }) => {
  allowErrors(/status of 404/);
  await chat.open('/');
  await chat.send(simulated('Delete me'));
  await chat.ended();
  const url = page.url();
  const id = await chat.sessionId();
  await page.goto('/');
  await chat.alive();
  const row = chat.row(/^Delete me/);
  await row.hover();
  await row.getByRole('button', { name: 'Delete' }).click();
  await expect(row).toHaveCount(0);
  await expect(page.getByRole('complementary', { name: 'Deleted' }).filter({ hasText: /Deleted “Delete me/ })).toBeVisible();
  await shot('deleted');
  expect((await page.request.get(`/api/sessions/get?session_id=${id}`)).status()).toBe(404);
  expect((await page.request.get(url)).status()).toBe(404);

  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(chat.row(/^Delete me/)).toBeVisible();
  await chat.open(url);
  await expect(chat.question('Delete me')).toBeVisible();
  await chat.shownIsStored();
});

test('deleting the chat one reads leads to a new one, and stops its reply', async ({ chat, page, allowErrors }) => {
  allowErrors(/status of 404/);
  await chat.open('/');
  await chat.send(simulated('Running and deleted', 'tokens=2000 rate=40'));
  await chat.writing();
  const id = await chat.sessionId();
  const row = chat.row(/^Running and deleted/);
  await row.hover();
  await row.getByRole('button', { name: 'Delete' }).click();
  await expect(page).toHaveURL(/\/(\?.*)?$/);
  await chat.alive();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(chat.row(/^Running and deleted/)).toBeVisible();
  // Another instance may write it, which hears of its stop when it looks.
  const session = async () => (await page.request.get(`/api/sessions/get?session_id=${id}`)).json();
  await expect.poll(async () => (await session()).active_turn).toBeUndefined();
});

test('editing a question makes a branch, and the old one stays', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('The original', 'tokens=40 rate=0 vary'));
  await chat.ended();
  const first = (await chat.shownIsStored()).text;

  for (const [n, words] of ['The first change', 'The second change'].entries()) {
    const question = page.locator('.ask').last();
    await question.hover();
    await question.getByLabel('Edit the question').click();
    const editor = question.getByRole('textbox', { name: 'The question, put another way' });
    await expect(editor).toBeFocused();
    await editor.fill(simulated(words, 'tokens=40 rate=0 vary'));
    await question.getByRole('button', { name: 'Ask this instead' }).click();
    await expect(chat.question(words)).toBeVisible();
    await chat.ended();
    await expect(page.getByText(`${n + 2} of ${n + 2}`)).toBeVisible();
    await chat.shownIsStored();
  }
  await page.getByRole('link', { name: 'Earlier version' }).click();
  await expect(page.getByText('2 of 3')).toBeVisible();
  await expect(chat.question('The first change')).toBeVisible();
  await shot('branches');
  await chat.alive();
  await page.getByRole('link', { name: 'Earlier version' }).click();
  await expect(page.getByText('1 of 3')).toBeVisible();
  await expect(chat.question('The original')).toBeVisible();
  expect((await chat.shown()).length).toBeGreaterThan(0);
  expect(first).toContain((await chat.shown()).split(' ')[0]);
});

test('trying again gives another answer beside the first', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('Answer twice', 'tokens=40 rate=0 vary'));
  await chat.ended();
  const { text } = await chat.shownIsStored();
  await chat.reply.hover();
  await chat.reply.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText('2 of 2')).toBeVisible({ timeout: 15_000 });
  await chat.ended();
  const again = await chat.shownIsStored();
  expect(again.text).not.toBe(text);
  await expect(chat.replies).toHaveCount(1);
});

test('what another tab did shows in the list after the next load', async ({ chat, page, context }) => {
  await chat.open('/');
  const other = new Chat(await context.newPage());
  await other.open('/');
  await other.send(simulated('From the other tab'));
  await other.ended();
  await page.reload();
  await chat.alive();
  await expect(chat.row(/^From the other tab/)).toBeVisible();
});
