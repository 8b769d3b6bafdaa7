// No reply is lost: whatever dies, the page that is open goes on by itself, and shows what is stored in the end.
import { Chat, simulated, splice } from '../support/chat.js';
import { CONNECTION_LOST, expect, test } from '../support/fixtures.js';
import { Relay } from '../support/relay.js';
import { Server } from '../support/server.js';
import { DynamoDb, keptAt } from '../support/store.js';

/** Each call's words name the call, and are numbered. */
const numbered = (words, tokens, rate = 40) => simulated(words, `vary tokens=${tokens} rate=${rate}`);
const RECONNECTING = 'Reconnecting.';

/** Ends a test: nothing was ever shown twice or out of order, and what is shown is whole and is what is stored. */
async function whole(chat, watched, tokens, calls) {
  const { wrong, states } = await watched();
  expect(wrong, 'words shown twice, or left out, at some time').toEqual([]);
  const message = await chat.shownIsStored();
  expect(message.outcome).toBe('complete');
  expect(splice(message.text, tokens)).toEqual({ whole: true, calls });
  return { message, states };
}

test.beforeEach(({ allowErrors }) => {
  allowErrors(CONNECTION_LOST);
  allowErrors(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK|ERR_ABORTED|ERR_FAILED/);
});

test.describe('the server', () => {
  test('is killed twice in one reply: nothing is lost, nothing comes twice', async ({ ownServer, chat, page, shots }) => {
    test.slow();
    await chat.open(ownServer.url);
    await chat.send(numbered('Killed twice', 600));
    const watched = await chat.watch();
    for (let i = 0; i < 2; i += 1) {
      // Enough that some of it is stored.
      await chat.writing((await chat.shown()).length + 500);
      await ownServer.stop('SIGKILL');
      await ownServer.start();
    }
    await expect(page.getByRole('status').filter({ hasText: 'Picked up.' })).toBeAttached();
    await chat.ended('complete', { timeout: 25_000 });
    const { message } = await whole(chat, watched, 600, 3);
    expect(message.seams.map((seam) => seam.planned)).toEqual([false, false]);

    // The page that saw it, and the one that is loaded afterwards, show the same.
    const live = await chat.reply.locator('.prose').innerHTML();
    await expect(page.getByText('Picked up where it left off')).toHaveCount(2);
    await expect(page.getByText('Picked up where it left off').first()).toBeVisible();
    await page.reload();
    await chat.alive();
    expect(await chat.reply.locator('.prose').innerHTML()).toBe(live);
    await expect(page.getByText('Picked up twice where it left off. Nothing is missing.')).toBeHidden();
    await shots('picked-up', page.locator('.seam').first());
    await page.setViewportSize({ width: 390, height: 844 });
    await expect(page.getByText('Picked up twice where it left off. Nothing is missing.')).toBeVisible();
    await expect(page.getByText('Picked up where it left off').first()).toBeHidden();
  });

  test('is replaced by a new one under an open page, which says nothing of it', async ({ ownServer, chat, page }) => {
    await chat.open(ownServer.url);
    await chat.send(numbered('Through a deploy', 500));
    const watched = await chat.watch();
    await chat.writing(80);
    await ownServer.stop('SIGTERM');
    await ownServer.start();
    // Whoever comes now did not hear that it was handed over on purpose.
    const second = new Chat(await page.context().newPage());
    await second.open(page.url());
    await second.writing(80);
    await expect(second.page.locator('.seam')).toHaveCount(0);
    await Promise.all([chat.ended('complete', { timeout: 25_000 }), second.ended('complete', { timeout: 25_000 })]);
    const { message } = await whole(chat, watched, 500, 2);
    expect(message.seams.map((seam) => seam.planned)).toEqual([true]);
    for (const { page: each } of [chat, second]) {
      await expect(each.locator('.seam, .seam-inline')).toHaveCount(0);
      await expect(each.getByText('Picked up')).toHaveCount(0);
    }
  });

  test('is replaced by one with other files: the open page goes on, a reload has the new ones', async ({
    ownServer,
    chat,
    page,
  }) => {
    await chat.open(ownServer.url);
    await chat.send(numbered('Through another deploy', 500));
    const watched = await chat.watch();
    await chat.writing(80);
    const before = await page.locator('link[rel=stylesheet]').getAttribute('href');
    await ownServer.stop('SIGTERM');
    await ownServer.renameAssets();
    await ownServer.start();
    await chat.ended('complete', { timeout: 25_000 });
    await whole(chat, watched, 500, 2);
    expect((await page.request.get(ownServer.url + before)).status()).toBe(404);
    await page.reload();
    await chat.alive();
    expect(await page.locator('link[rel=stylesheet]').getAttribute('href')).not.toBe(before);
    await chat.send(simulated('And on'));
    await chat.ended();
    await chat.shownIsStored();
  });

  test('dies while one of two tabs is closed: the other goes on', async ({ ownServer, chat, page, context }) => {
    await chat.open(ownServer.url);
    await chat.send(numbered('Two tabs', 500));
    await chat.writing(40);
    const second = new Chat(await context.newPage());
    await second.open(page.url());
    const watched = await second.watch();
    await second.writing(60);
    // The tab that asked.
    await page.close();
    await second.writing((await second.shown()).length + 40);
    await ownServer.stop('SIGKILL');
    await ownServer.start();
    await second.ended('complete', { timeout: 25_000 });
    await whole(second, watched, 500, 2);
  });
});

test.describe('the connection', () => {
  test('is ended cleanly by a proxy, again and again: nobody sees it', async ({ relay, chat }) => {
    await chat.open(relay.url);
    await chat.send(numbered('Behind a proxy', 500));
    const watched = await chat.watch();
    for (let i = 0; i < 3; i += 1) {
      await chat.writing((await chat.shown()).length + 60);
      relay.endAnswers();
    }
    await chat.ended('complete', { timeout: 25_000 });
    const { states } = await whole(chat, watched, 500, 1);
    expect(states, 'it did not last').toEqual([]);
    // Each time from where it was.
    const cursors = relay.asked.map((path) => Number(/follow\?.*cursor=(\d+)/.exec(path)?.[1])).filter((n) => !isNaN(n));
    expect(cursors.length).toBeGreaterThanOrEqual(3);
    expect(cursors[0]).toBeGreaterThan(0);
    expect(cursors).toEqual([...cursors].sort((a, b) => a - b));
  });

  test('is gone for long: that is said, and it goes on at once when the network is back', async ({
    relay,
    chat,
    page,
    context,
    shots,
    axe,
  }) => {
    test.slow();
    await chat.open(relay.url);
    await chat.send(numbered('No network', 500, 20));
    await chat.writing(60);
    const watched = await chat.watch();
    await context.setOffline(true);
    // What this tool calls offline spares what is open already.
    relay.breakAll();
    const words = page.getByRole('main').getByText(RECONNECTING, { exact: true });
    await expect(words).toBeVisible();
    await expect(page.getByRole('status').filter({ hasText: RECONNECTING })).toBeAttached();
    await expect(page.getByText('The reply goes on meanwhile; you will see all of it.')).toBeVisible();
    await shots('reconnecting');
    await axe('reconnecting');
    const shown = (await chat.shown()).length;
    await context.setOffline(false);
    await chat.writing(shown + 20);
    await expect(words).toBeHidden();
    await chat.ended('complete', { timeout: 25_000 });
    await whole(chat, watched, 500, 1);
  });

  for (const [how, act] of [
    ['one asks for it', (page) => page.getByRole('button', { name: 'Try now' }).click()],
    ['the tab is looked at', (page) => page.evaluate(() => dispatchEvent(new Event('visibilitychange')))],
    ['the network is back', (page) => page.evaluate(() => dispatchEvent(new Event('online')))],
  ]) {
    test(`hangs, and is tried anew as soon as ${how}`, async ({ relay, chat, page }) => {
      await chat.open(relay.url);
      await chat.send(numbered('Hanging', 500));
      await chat.writing(60);
      const watched = await chat.watch();
      relay.mood = 'silent';
      relay.breakAll();
      const words = page.getByRole('main').getByText(RECONNECTING, { exact: true });
      await expect(words).toBeVisible();
      const follows = () => relay.asked.filter((path) => path.startsWith('/api/chat/follow')).length;
      const before = follows();
      relay.mood = 'as-it-should';
      // The request that hangs would be given up only after 10 s.
      await act(page);
      await expect.poll(follows, { timeout: 3000 }).toBeGreaterThan(before);
      await expect(words).toBeHidden();
      await chat.ended('complete', { timeout: 25_000 });
      await whole(chat, watched, 500, 1);
    });
  }

  test('is away while the reply fails: the failure is there when it returns', async ({ ownServer, relay, chat, page }) => {
    await chat.open(relay.url);
    await chat.send(simulated('Fails meanwhile', 'vary tokens=200 rate=4 fault=reset@5'));
    await chat.writing(4);
    const session = await chat.sessionId();
    relay.mood = 'refuses';
    relay.breakAll();
    const running = async () => {
      const answer = await page.request.get(`${ownServer.url}/api/sessions/get?session_id=${session}`);
      return (await answer.json()).active_turn ?? null;
    };
    await expect.poll(running, { timeout: 25_000 }).toBeNull();
    await expect(page.getByRole('main').getByText(RECONNECTING, { exact: true })).toBeVisible();
    relay.mood = 'as-it-should';
    await chat.ended('failed');
    await expect(page.getByRole('alert')).toContainText('The reply broke off and could not be carried on.');
    await chat.shownIsStored();
  });
});

test.describe('continue', () => {
  /** Clicks it, and looks that the text never goes away meanwhile. */
  async function carryOn(chat) {
    const before = await chat.reply.locator('.prose').evaluate((prose) => prose.textContent.length);
    const text = await chat.shown();
    const watched = await chat.watch();
    await chat.page.getByRole('button', { name: 'Continue', exact: true }).click();
    await expect(chat.page.getByText('2 of 2')).toBeVisible({ timeout: 25_000 });
    await chat.ended('complete');
    const { shortest, wrong } = await watched();
    expect(shortest, 'the text that was there stays there').toBeGreaterThanOrEqual(before);
    expect(wrong).toEqual([]);
    expect((await chat.shown()).startsWith(text)).toBe(true);
  }

  test('goes on behind a stop', async ({ chat, page, shots, axe }) => {
    await chat.open('/');
    await chat.send(numbered('Stopped, then continued', 300));
    await chat.writing(60);
    await chat.stopButton.click();
    await chat.ended('stopped');
    await shots('stopped');
    await axe('a stopped reply');
    await carryOn(chat);
    const message = await chat.shownIsStored();
    expect(splice(message.text, 300)).toEqual({ whole: true, calls: 2 });
    await expect(page.locator('.seam')).toHaveCount(0);
    // The first one is still there.
    await page.getByRole('link', { name: 'Earlier version' }).click();
    await expect(page.getByText('Stopped.', { exact: true }).first()).toBeVisible();
  });

  test('goes on after a reload', async ({ chat, page }) => {
    await chat.open('/');
    await chat.send(numbered('Stopped, loaded, continued', 300));
    await chat.writing(60);
    await chat.stopButton.click();
    await chat.ended('stopped');
    await page.reload();
    await chat.alive();
    await carryOn(chat);
    expect(splice((await chat.shownIsStored()).text, 300)).toEqual({ whole: true, calls: 2 });
  });

  test('goes on where a reply broke off', async ({ chat, page, shots }) => {
    await chat.open('/');
    // No attempt gets past what it is asked to repeat.
    await chat.send(simulated('Broken off, then continued', 'vary tokens=120 rate=100 fault=reset@5 times=5'));
    await chat.ended('failed', { timeout: 30_000 });
    await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
    await shots('broken-off');
    await carryOn(chat);
    expect(splice((await chat.shownIsStored()).text, 120).whole).toBe(true);
  });

  test('is refused in words, and all is as it was', async ({ chat, page, allowErrors }) => {
    allowErrors(/status of 409/);
    await chat.open('/');
    await chat.send(numbered('Stopped, and asked on elsewhere', 300));
    await chat.writing(60);
    await chat.stopButton.click();
    await chat.ended('stopped');
    const text = await chat.shown();
    const second = new Chat(await page.context().newPage());
    await second.open(page.url());
    await second.send(numbered('Meanwhile', 2000));
    await second.writing();
    await page.getByRole('button', { name: 'Continue', exact: true }).click();
    await expect(page.getByRole('form', { name: 'Write' }).getByText('This chat is still being answered.')).toBeVisible();
    await expect(page.getByText('Stopped.', { exact: true }).first()).toBeVisible();
    expect(await chat.shown()).toBe(text);
  });

  test.describe('where the limit was reached', () => {
    test.use({ variables: { OUTLAST_MAX_TOKENS: '60' } });

    test('goes on, and is the one way on', async ({ ownServer, chat, page, shots }) => {
      await chat.open(ownServer.url);
      await chat.send(numbered('Too long', 100, 200));
      await chat.ended('cut');
      await expect(page.getByText('The reply reached its length limit.')).toBeVisible();
      await expect(chat.reply.getByRole('button', { name: 'Try again' })).toHaveCount(0);
      await expect(chat.reply.getByRole('button', { name: 'Continue', exact: true })).toHaveClass(/btn-main/);
      await shots('cut-off');
      await carryOn(chat);
      expect(splice((await chat.shownIsStored()).text, 100)).toEqual({ whole: true, calls: 2 });
    });
  });
});

test.describe('storage', () => {
  test('falls silent in mid-reply: that is said, and nothing is lost', async ({ simulator, chat, page, shots, axe }, info) => {
    test.slow();
    const database = await new DynamoDb().start();
    const between = await new Relay(database.port).start();
    const env = { ...simulator.client, ...keptAt(between.port), OUTLAST_SECRET: 'a secret of more than 32 bytes for tests' };
    const server = new Server(`store-${info.testId}`, env);
    try {
      await server.init();
      await server.start();
      await chat.open(server.url);
      await chat.send(numbered('On hold', 300));
      await chat.writing(60);
      const watched = await chat.watch();
      between.mood = 'silent';
      between.breakAll();
      await expect(chat.reply.getByText('Storage is not answering.', { exact: true })).toBeVisible();
      await expect(page.getByText('Writing is on hold so that nothing gets lost.')).toBeVisible();
      await expect(page.getByRole('status').filter({ hasText: 'Storage is not answering.' })).toBeAttached();
      await shots('storage-silent');
      await axe('storage that does not answer');
      between.mood = 'as-it-should';
      between.breakAll();
      await expect(chat.reply.getByText('Storage is not answering.', { exact: true })).toBeHidden({ timeout: 25_000 });
      await chat.ended('complete', { timeout: 30_000 });
      await whole(chat, watched, 300, 1);
    } finally {
      await server.dispose();
      await between.stop();
      await database.stop();
    }
  });
});
