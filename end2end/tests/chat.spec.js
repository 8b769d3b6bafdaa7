import { simulated, plain } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

test('a first message is answered, token by token, and stored as shown', async ({ chat, page, shot, platform }) => {
  await chat.open('/');
  await expect(page.getByRole('heading', { name: 'Ask, and walk away.' })).toBeVisible();
  // On Lambda it is somebody else's address.
  if (platform === 'server') await expect(page.getByText('This is the simulator.')).toBeVisible();
  await shot('empty');

  await chat.send(simulated('A first message', 'tokens=400 rate=60 ttft=100'));
  await expect(chat.question('A first message')).toBeVisible();
  await chat.writing();
  const early = await chat.shown();
  await expect(page.getByText('Being written. You may close this tab; it goes on.')).toBeVisible();
  await expect(chat.box).toBeFocused();
  await shot('writing');
  await chat.ended();
  expect((await chat.shown()).startsWith(early)).toBe(true);
  await shot('complete');

  const message = await chat.shownIsStored();
  expect(message.outcome).toBe('complete');
  expect(message.usage.output_tokens).toBeGreaterThan(0);
  await expect(page.getByRole('status').filter({ hasText: /^Reply finished, \d+ words\.$/ })).toBeAttached();
  await expect(chat.row(/^A first message/)).toBeVisible();
});

test('a second message goes on in the same chat', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('One'));
  await chat.ended();
  const url = page.url();
  await chat.send(simulated('Two'));
  await expect(chat.question('Two')).toBeVisible();
  await expect(chat.replies).toHaveCount(2);
  await chat.ended();
  expect(page.url()).toBe(url);
  await chat.shownIsStored();
  const { messages } = await chat.stored();
  expect(messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(messages[2].parent_id).toBe(messages[1].message_id);
});

test('view-source holds the conversation', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('For the source'));
  await chat.ended();
  const { messages } = await chat.stored();
  const html = await (await page.request.get(page.url(), { headers: { accept: 'text/html' } })).text();
  expect(html).toContain('For the source');
  // The first words of the reply, which no script has put there.
  expect(plain(html)).toContain(plain(messages[1].text).split(' ').slice(0, 4).join(' '));
});

test('Shift and Enter break the line, Enter on nothing sends nothing', async ({ chat, page }) => {
  await chat.open('/');
  await chat.box.press('Enter');
  await chat.box.pressSequentially('first line');
  await chat.box.press('Shift+Enter');
  await chat.box.pressSequentially('second line');
  await expect(chat.box).toHaveValue('first line\nsecond line');
  await expect(chat.replies).toHaveCount(0);
  expect(new URL(page.url()).pathname).toBe('/');
});

test('while a reply runs one may write on, and Enter waits', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('Slowly', 'tokens=200 rate=40'));
  await chat.writing();
  await chat.send('too early');
  await expect(page.getByText('You can send when it is done.')).toBeVisible();
  await expect(chat.box).toHaveValue('too early');
  await expect(chat.replies).toHaveCount(1);
});

test('Markdown is rendered, and a reply is never HTML', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('In Markdown', 'markdown tokens=600 rate=0'));
  await chat.ended('complete', { timeout: 20_000 });
  const before = await chat.reply.locator('.prose').innerHTML();
  await shot('markdown', { screenshot: { fullPage: true } });
  // The same code on both sides: what the browser made while streaming is what the server renders.
  await page.reload();
  await chat.alive();
  expect(await chat.reply.locator('.prose').innerHTML()).toBe(before);
  await expect(chat.reply.locator('.prose :is(table, pre, ul, ol, h1, h2, h3, blockquote)').first()).toBeVisible();
  expect(await chat.reply.locator('.prose script, .prose iframe, .prose [style]').count()).toBe(0);
  for (const link of await chat.reply.locator('.prose a[href^="http"]').all()) {
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer nofollow');
  }
});

test('what a person types is text, not HTML', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('<img src=x onerror="document.title=\'owned\'"><b>bold</b>'));
  await chat.ended();
  await page.reload();
  await chat.alive();
  await expect(chat.question('<b>bold</b>')).toBeVisible();
  expect(await page.title()).not.toBe('owned');
});

test('a reply is copied as it was written', async ({ chat, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await chat.open('/');
  await chat.send(simulated('To copy'));
  await chat.ended();
  const { messages } = await chat.stored();
  await chat.reply.hover();
  await chat.reply.getByRole('button', { name: /^Copy this reply/ }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(messages[1].text);
});

test('a page of somebody else, or of nobody, is not there', async ({ chat, page, browser, allowErrors, shot }) => {
  allowErrors(/status of 404/);
  await chat.open('/');
  await chat.send(simulated('Mine alone'));
  await chat.ended();
  const url = page.url();

  const other = await browser.newContext();
  const theirs = await other.newPage();
  const answer = await theirs.goto(url);
  expect(answer.status()).toBe(404);
  await expect(theirs.getByText('Nothing here.')).toBeVisible();
  await expect(theirs.getByText('Mine alone')).toHaveCount(0);
  await other.close();

  expect((await chat.open('/c/01JDJ2V0C0AAAAAAAAAAAAAAAA')).status()).toBe(404);
  await expect(page.getByText('This chat does not exist, or it is not yours.')).toBeVisible();
  await shot('not-found');
});

test('the model picker offers what the server offers', async ({ chat, page }) => {
  const { models, default: first } = await (async () => {
    await chat.open('/');
    return (await page.request.get('/api/models')).json();
  })();
  const picker = page.getByRole('combobox', { name: 'Model' });
  await expect(picker).toHaveValue(first);
  await expect(picker.getByRole('option')).toHaveCount(models.length);
  const other = models.find((m) => m.id !== first);
  await picker.selectOption(other.id);
  await chat.send(simulated('With another model'));
  await chat.ended();
  const { messages } = await chat.stored();
  expect(messages[1].model).toBe(other.id);
});
