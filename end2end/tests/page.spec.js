// What the page does by itself: keys, drafts, following, older pages, dots, focus.
import { Chat, simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

/** Sends through the API and waits for the end: quicker than the page where many messages are needed. */
async function post(page, form) {
  const answer = await page.request.post('/api/chat/send', { form });
  expect(answer.status()).toBe(200);
}

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
let made = 0;

/** A ULID of now. */
function ulid() {
  let time = Date.now();
  let head = '';
  for (let i = 0; i < 10; i += 1) {
    head = ALPHABET[time % 32] + head;
    time = Math.floor(time / 32);
  }
  made += 1;
  const tail = Array.from({ length: 12 }, () => ALPHABET[Math.floor(Math.random() * 32)]).join('');
  return head + tail + made.toString().padStart(4, '0');
}

test('a draft is kept for its chat, and gone once it is sent', async ({ chat, page }) => {
  await chat.open('/');
  await chat.box.fill('half a thought');
  await page.reload();
  await chat.alive();
  await expect(chat.box).toHaveValue('half a thought');
  await chat.send(simulated('A whole thought'));
  await chat.ended();
  await chat.box.fill('for this chat only');
  await page.goto('/');
  await chat.alive();
  await expect(chat.box).toHaveValue('');
  await page.goBack();
  await chat.alive();
  await expect(chat.box).toHaveValue('for this chat only');
});

test('a suggestion fills the composer and does not send', async ({ chat, page }) => {
  await chat.open('/');
  await page.getByRole('button', { name: /^Write a long reply/ }).click();
  await expect(chat.box).toHaveValue(/\/sim tokens=3000/);
  await expect(chat.box).toBeFocused();
  await expect(chat.replies).toHaveCount(0);
});

test('single keys, and the switch that turns them off', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('For the keys'));
  await chat.ended();
  const away = () => page.evaluate(() => document.activeElement?.blur());
  await away();
  await page.keyboard.press('/');
  await expect(chat.box).toBeFocused();
  await expect(chat.box).toHaveValue('');
  await away();
  await page.keyboard.press('?');
  const list = page.getByRole('dialog', { name: 'Keyboard' });
  await expect(list).toBeVisible();
  await shot('keys');
  await page.keyboard.press('Escape');
  await expect(list).toBeHidden();
  await away();
  await page.keyboard.press('n');
  await expect(page).toHaveURL(/\/$/);
  await chat.alive();
  await away();
  await page.keyboard.press(']');
  await expect(page).toHaveURL(/\/c\//);
  await chat.alive();

  await page.keyboard.press('?');
  await list.getByRole('checkbox', { name: /^Single keys/ }).uncheck();
  await page.keyboard.press('Escape');
  await away();
  await page.keyboard.press('n');
  await page.keyboard.press('/');
  await expect(chat.box).not.toBeFocused();
  await expect(page).toHaveURL(/\/c\//);
});

test('the arrow up in an empty composer edits the last question', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('To be edited'));
  await chat.ended();
  await chat.box.press('ArrowUp');
  const editor = page.getByRole('textbox', { name: 'The question, put another way' });
  await expect(editor).toBeFocused();
  await expect(editor).toHaveValue(/^To be edited/);
  await shot('editing');
  await editor.press('Escape');
  await expect(editor).toBeHidden();
  await expect(chat.question('To be edited')).toBeVisible();
});

test('keys of a row: F2 renames, Del deletes, Ctrl Z undoes; focus goes to the next row', async ({ chat, page }) => {
  await chat.open('/');
  for (const name of ['Upper', 'Middle', 'Lower'].reverse()) {
    await post(page, { session_id: ulid(), turn_id: ulid(), text: simulated(name), new: 'true' });
  }
  await page.reload();
  await chat.alive();
  const link = (name) => chat.sidebar.getByRole('link', { name });
  await link('Middle').focus();
  await page.keyboard.press('F2');
  const title = chat.sidebar.getByRole('textbox', { name: 'Title' });
  await expect(title).toBeFocused();
  await title.press('Escape');
  await expect(link('Middle')).toBeFocused();
  await page.keyboard.press('Delete');
  await expect(link('Middle')).toHaveCount(0);
  await expect(link('Lower')).toBeFocused();
  await page.keyboard.press('Control+z');
  await expect(link('Middle')).toBeVisible();
  await expect(link('Middle')).toBeFocused();
  await expect(chat.sidebar.getByRole('link', { name: /^(Upper|Middle|Lower)$/ })).toHaveText(['Upper', 'Middle', 'Lower']);
});

test('the page follows the reply until one scrolls up, and the pill leads back', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Follow this', 'tokens=3000 rate=150'));
  await chat.writing(1200);
  const below = () =>
    page.evaluate(() => document.documentElement.scrollHeight - innerHeight - Math.ceil(scrollY));
  const pill = page.getByRole('button', { name: 'Being written below' });
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(200);
  expect(await below()).toBeLessThan(80);
  await expect(pill).toBeHidden();

  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, -300);
  await expect(pill).toBeVisible();
  await shot('pill');
  const at = await page.evaluate(() => scrollY);
  const length = (await chat.shown()).length;
  await chat.writing(length + 400);
  expect(await page.evaluate(() => scrollY)).toBe(at);

  await pill.click();
  await expect(pill).toBeHidden();
  expect(await below()).toBeLessThan(80);
  await chat.stopButton.click();
  await chat.ended('stopped');
});

test('earlier messages come in over the text that is read, which stays where it is', async ({ chat, page }) => {
  test.slow();
  await chat.open('/');
  const session = ulid();
  for (let i = 0; i < 32; i += 1) {
    const form = { session_id: session, turn_id: ulid(), text: simulated(`Question number ${i}.`, 'tokens=30 rate=0') };
    await post(page, i ? form : { ...form, new: 'true' });
  }
  await chat.open(`/c/${session}`);
  // It opens at its end.
  await expect(chat.question('Question number 31.')).toBeInViewport();
  await expect(chat.question('Question number 0.')).toHaveCount(0);
  const earlier = page.getByRole('link', { name: 'Earlier messages' });
  await page.evaluate(() => scrollTo(0, 0));
  const first = page.locator('.turn h2').first();
  const words = await first.innerText();
  const top = (await first.boundingBox()).y;
  await earlier.click();
  await expect(chat.question('Question number 0.')).toHaveCount(1);
  await expect(earlier).toHaveCount(0);
  const same = page.locator('.turn h2', { hasText: words.split('\n')[0] });
  await expect.poll(async () => Math.abs((await same.boundingBox()).y - top)).toBeLessThan(3);
  await expect(page.locator('.turn')).toHaveCount(32);
  await expect(page.locator('.turn .prose').first()).not.toBeEmpty();
});

test('older chats are loaded below', async ({ chat, page }) => {
  test.slow();
  await chat.open('/');
  for (let i = 0; i < 53; i += 1) {
    await post(page, { session_id: ulid(), turn_id: ulid(), text: simulated(`Chat ${i}.`, 'tokens=2 rate=0'), new: 'true' });
  }
  await page.reload();
  await chat.alive();
  const rows = chat.sidebar.getByRole('link', { name: /^Chat \d+\.$/ });
  await expect(rows).toHaveCount(50);
  await page.getByRole('button', { name: 'Older chats' }).click();
  await expect(rows).toHaveCount(53);
  await expect(page.getByRole('button', { name: 'Older chats' })).toHaveCount(0);
});

test('a reply that ends in another chat is marked until it is seen', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('Seen later', 'tokens=150 rate=60'));
  await chat.writing();
  await page.goto('/');
  await chat.alive();
  const row = chat.row('Seen later');
  await expect(row.getByRole('img', { name: 'being written' })).toBeVisible();
  await expect(row.getByRole('img', { name: 'finished, not seen yet' })).toBeVisible({ timeout: 15_000 });
  await page.reload();
  await chat.alive();
  await expect(row.getByRole('img', { name: 'finished, not seen yet' })).toBeVisible();
  await row.getByRole('link').click();
  await chat.alive();
  await expect(row.getByRole('img')).toHaveCount(0);
});

test('code and question are copied, and the button says so', async ({ chat, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await chat.open('/');
  await chat.send(simulated('Copy this question', 'markdown tokens=600 rate=0'));
  await chat.ended('complete', { timeout: 20_000 });
  const clip = () => page.evaluate(() => navigator.clipboard.readText());
  await page.locator('.ask').hover();
  await page.getByRole('button', { name: 'Copy the question' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  await expect.poll(clip).toMatch(/^Copy this question\n\/sim/);
  const figure = page.locator('figure.code').first();
  const code = await figure.locator('pre').innerText();
  await figure.getByRole('button').click();
  await expect(figure.getByRole('button')).toHaveText('Copied');
  await expect.poll(clip).toBe(code);
  await expect(figure.getByRole('button')).toHaveText('Copy');
});

test('a long question is folded, and opens', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(`${'A line of the log.\n'.repeat(60)}${simulated('The end.')}`);
  await chat.ended();
  const heading = page.getByRole('main').getByRole('heading', { level: 2 });
  const height = async () => (await heading.boundingBox()).height;
  const folded = await height();
  await shot('folded');
  await page.getByText(/^Show all \d+ lines$/).click();
  await expect.poll(height).toBeGreaterThan(folded * 3);
  await page.getByText('Show less').click();
  await expect.poll(height).toBe(folded);
});

test('thinking is shown while it lasts, and kept', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Think first', 'tokens=60 rate=40 think=80'));
  await expect(page.getByText(/^Thinking, \d+ s$/)).toBeVisible();
  await shot('thinking');
  await chat.ended();
  const summary = page.locator('.think summary');
  await expect(summary).toHaveText(/^Thought for \d+ s$/);
  await summary.click();
  await expect(page.locator('.think p')).not.toBeEmpty();
  const words = await summary.textContent();
  await page.reload();
  await chat.alive();
  await expect(summary).toHaveText(words);
  await summary.click();
  await expect(page.locator('.think p')).not.toBeEmpty();
});

test('waiting is said, with seconds when it takes long', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Wait for it', 'tokens=20 rate=0 ttft=9500'));
  await expect(page.getByText('Waiting for Claude', { exact: true })).toBeVisible();
  await shot('waiting');
  await expect(page.getByText(/^Waiting for Claude, [89] s$/)).toBeVisible();
  await chat.ended();
});

test('another tab that is shown again has the list as it is', async ({ chat, context }) => {
  const other = new Chat(await context.newPage());
  await other.open('/');
  await chat.open('/');
  await chat.send(simulated('Made elsewhere'));
  await chat.ended();
  await other.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
  await expect(other.row('Made elsewhere')).toBeVisible();
});
