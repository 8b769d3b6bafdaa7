// The promise: what was begun is not lost, whatever the browser does.
import { Chat, held, plain, simulated } from '../support/chat.js';
import { CONNECTION_LOST, expect, test } from '../support/fixtures.js';

const SLOW = 'tokens=500 rate=60 ttft=50';

test('a reload in mid-reply loses nothing', async ({ chat, page, shot }) => {
  await chat.open('/');
  const hold = held(100);
  await chat.send(simulated('Reload me', `${SLOW} ${hold.script}`));
  await chat.writing();
  const before = await chat.shown();
  await page.reload();
  await chat.alive();
  await hold.release(chat);
  await expect(chat.question('Reload me')).toBeVisible();
  await chat.writing(before.length);
  expect((await chat.shown()).startsWith(before.slice(0, 20))).toBe(true);
  await shot('reloaded');
  await chat.ended();
  expect((await chat.shown()).startsWith(before)).toBe(true);
  await chat.shownIsStored();
});

test('three reloads in one reply, the last after its end', async ({ chat, page }) => {
  await chat.open('/');
  const hold = held(100);
  await chat.send(simulated('Reload me often', `${SLOW} ${hold.script}`));
  await chat.writing();
  const first = (await chat.shown()).length;
  await page.reload();
  await chat.alive();
  await chat.writing(first - 1);
  const second = (await chat.shown()).length;
  await page.reload();
  await chat.alive();
  await hold.release(chat);
  await chat.writing(second);
  await chat.ended();
  const whole = await chat.shown();
  await page.reload();
  await chat.alive();
  await chat.ended();
  expect(await chat.shown()).toBe(whole);
  await chat.shownIsStored();
});

test('a closed tab stops nothing', async ({ chat, page, context }) => {
  await chat.open('/');
  await chat.send(simulated('Walk away', SLOW));
  await chat.writing();
  const url = page.url();
  const id = await chat.sessionId();
  await page.close();

  const api = context.request;
  const get = async () => (await api.get(new URL(`/api/sessions/get?session_id=${id}`, url).href)).json();
  await expect.poll(async () => (await get()).active_turn ?? null, { timeout: 20_000 }).toBeNull();
  const back = new Chat(await context.newPage());
  await back.open(url);
  await back.ended();
  await back.shownIsStored();
});

test('a second tab follows the same reply to the same text', async ({ chat, page, context }) => {
  await chat.open('/');
  const hold = held(100);
  await chat.send(simulated('In two tabs', `tokens=400 rate=60 ${hold.script}`));
  await chat.writing();
  const second = new Chat(await context.newPage());
  await second.open(page.url());
  await second.writing();
  await hold.release(chat);
  await Promise.all([chat.ended(), second.ended()]);
  expect(await second.shown()).toBe(await chat.shown());
  await second.shownIsStored();
});

test('a second browser with the same cookie does too', async ({ chat, page, context, browser }) => {
  await chat.open('/');
  const hold = held(100);
  await chat.send(simulated('In two browsers', `tokens=400 rate=60 ${hold.script}`));
  await chat.writing();
  const elsewhere = await browser.newContext({ storageState: await context.storageState() });
  const second = new Chat(await elsewhere.newPage());
  await second.open(page.url());
  await second.writing();
  await hold.release(chat);
  await Promise.all([chat.ended(), second.ended()]);
  expect(await second.shown()).toBe(await chat.shown());
  await elsewhere.close();
});

test('switching chats in mid-reply leaves both whole', async ({ chat, page, shot }) => {
  await chat.open('/');
  const [one, two] = [held(30), held(30)];
  await chat.send(simulated('Chat the first', `tokens=200 rate=50 vary ${one.script}`));
  await chat.writing();
  const first = page.url();
  await chat.sidebar.getByRole('link', { name: 'New chat' }).click();
  await expect(page).toHaveURL(/\/$/);
  await chat.alive();
  await expect(chat.row(/^Chat the first/).getByRole('img', { name: 'being written' })).toBeVisible();
  await chat.send(simulated('Chat the second', `tokens=200 rate=50 vary ${two.script}`));
  await chat.writing();
  await shot('two-chats');
  const second = page.url();

  await chat.row(/^Chat the first/).getByRole('link').click();
  await expect(page).toHaveURL(first);
  await chat.alive();
  await expect(chat.question('Chat the first')).toBeVisible();
  await one.release(chat);
  await chat.ended();
  const stored = await chat.shownIsStored();

  await page.goto(second);
  await chat.alive();
  await two.release(chat);
  await chat.ended();
  expect((await chat.shownIsStored()).text).not.toBe(stored.text);
});

test('a send that is refused because another tab was first says so', async ({ chat, page, context, allowErrors }) => {
  allowErrors(/status of 409/);
  await chat.open('/');
  await chat.send(simulated('Begin'));
  await chat.ended();
  const second = new Chat(await context.newPage());
  await second.open(page.url());
  const hold = held(50);
  await chat.send(simulated('The first of two', `${SLOW} ${hold.script}`));
  await chat.writing();
  await second.send(simulated('The second of two'));
  await expect(second.page.getByRole('form', { name: 'Write' }).getByText('This chat is still being answered. You can send when it is done.')).toBeVisible();
  await expect(second.box).toHaveValue(/^The second of two/);
  await hold.release(chat);
  await chat.ended();
  await chat.shownIsStored();
});

test('a dropped connection is taken up again', async ({ chat, page, context, allowErrors, shot }) => {
  allowErrors(/ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_NETWORK/);
  allowErrors(CONNECTION_LOST);
  await chat.open('/');
  const hold = held(100);
  await chat.send(simulated('Through a tunnel', `tokens=400 rate=50 ${hold.script}`));
  await chat.writing();
  await page.reload();
  await chat.alive();
  await chat.writing();
  const before = await chat.shown();
  await context.setOffline(true);
  await expect.poll(() => page.evaluate(() => navigator.onLine)).toBe(false);
  await shot('offline');
  await hold.release(chat);
  await context.setOffline(false);
  await chat.ended('complete', { timeout: 20_000 });
  expect((await chat.shown()).startsWith(before)).toBe(true);
  await chat.shownIsStored();
});

test('a server killed in mid-reply and started again still brings the reply to its end', async ({
  ownServer,
  page,
  chat,
  allowErrors,
  shot,
}) => {
  allowErrors(CONNECTION_LOST);
  await chat.open(ownServer.url);
  await chat.send(simulated('Survive', 'tokens=200 rate=40'));
  await chat.writing();
  await ownServer.stop('SIGKILL');
  await expect(page.getByRole('main').getByText('Reconnecting.', { exact: true })).toBeVisible();
  await shot('reconnecting');
  await ownServer.start();
  await chat.ended('complete', { timeout: 25_000 });
  const shown = await chat.shown();
  const id = await chat.sessionId();
  const stored = await (await page.request.get(`${ownServer.url}/api/sessions/get?session_id=${id}`)).json();
  expect(stored.active_turn).toBeUndefined();
  expect(shown).toBe(plain(stored.messages.at(-1).text));
});

test('what was acknowledged is there after a kill', async ({ ownServer, chat }) => {
  await chat.open(ownServer.url);
  await chat.send(simulated('Kept on disk'));
  await chat.ended();
  const before = await chat.shown();
  const url = chat.page.url();
  await ownServer.stop('SIGKILL');
  await ownServer.start();
  // A new page load: the same cookie must still be good, so the signing secret was kept too.
  await chat.open(url);
  await expect(chat.question('Kept on disk')).toBeVisible();
  expect(await chat.shown()).toBe(before);
});
