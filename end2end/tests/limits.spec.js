// The day's budget and the pace: what one is told when they are reached, and that nothing one wrote is lost.
import { plain, simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

// Each has a server of its own: a budget is everybody's.
test.use({ baseURL: async ({ ownServer }, use) => use(ownServer.url) });

const ANEW = /egins anew at 00:00 UTC, in (\d+ h )?\d+ min\./;
const SPENT = 'Today’s budget is spent, so the reply stops here. What was written is kept. The budget begins anew at 00:00 UTC, in ';

/** Sends a message as a script does, and waits for the reply's end. */
async function ask(request, text) {
  const { session_id } = await (await request.post('/api/sessions/create')).json();
  const answer = await request.post('/api/chat/send', { form: { session_id, turn_id: session_id, text } });
  expect(await answer.text()).toContain('event: end');
}

/** Replies are written until a new chat says what is left. */
async function untilLow(page) {
  const low = async () => /left today/.test(await (await page.request.get('/')).text());
  for (let n = 0; !(await low()); n += 1) {
    expect(n, 'the budget gets low').toBeLessThan(100);
    await ask(page.request, simulated('One of many', 'tokens=65 rate=0'));
  }
}

/** Uses up what may be sent at once: what is malformed counts, too. */
async function hurry(page, times) {
  await Promise.all(Array.from({ length: times }, () => page.request.post('/api/chat/send', { form: {} })));
}

/** The end of the last reply in words, without its buttons. */
const said = async (chat) => plain(await chat.reply.locator('.state > span').innerText());

test.describe('a budget that no reply fits in', () => {
  test.use({ variables: { OUTLAST_DAILY_USD: '0.001' } });

  test('a message is refused with the time, and stands in the composer again', async ({ chat, page, axe, shots, allowErrors }) => {
    allowErrors(/status of 429/);
    await chat.open('/');
    const text = simulated('No money for this');
    await chat.send(text);
    const band = page.locator('.dock .band');
    await expect(band).toContainText('Today’s budget is spent. It begins anew at 00:00 UTC, in ');
    await expect(band).toHaveText(ANEW);
    await expect(page.getByRole('status').filter({ hasText: 'Today’s budget is spent.' })).toBeAttached();
    await expect(chat.box).toHaveValue(text);
    await expect(chat.replies).toHaveCount(0);
    await expect(page).toHaveURL(/\/$/);
    await axe('a refusal for the budget');
    await shots('budget-refused');
    // Nor is a job taken, and what was written there is kept as well.
    await page.goto('/jobs/new');
    await page.getByLabel('Prompt').fill('Nor for this');
    await page.getByRole('button', { name: 'Hand in' }).click();
    await expect(page.getByRole('alert')).toContainText(ANEW);
    await expect(page.getByLabel('Prompt')).toHaveValue('Nor for this');
    await axe('a job that is refused for the budget');
  });

  test.describe('without JavaScript', () => {
    test.use({ javaScriptEnabled: false });

    test('it is said as well', async ({ chat, page, shot }) => {
      await page.goto('/');
      await chat.box.fill('No money for this');
      await chat.sendButton.click();
      await expect(page).toHaveURL(/\?error=budget_spent$/);
      await expect(page.locator('.dock .band')).toHaveText(/Today’s budget is spent\. It begins anew at 00:00 UTC, in /);
      await expect(page.locator('.dock .band')).toHaveText(ANEW);
      await shot('budget-refused-nojs');
    });
  });
});

test.describe('a budget for half a reply', () => {
  test.use({ variables: { OUTLAST_DAILY_USD: '0.004' } });

  test('the reply stops with what was written, and stays so', async ({ chat, page, axe, shots, allowErrors }) => {
    allowErrors(/status of 429/);
    await chat.open('/');
    await chat.send(simulated('Longer than the money lasts', 'tokens=5000 rate=200'));
    await chat.writing();
    await chat.ended('stopped', { timeout: 20_000 });
    const words = await said(chat);
    expect(words).toContain(SPENT);
    expect(words).toMatch(ANEW);
    const message = await chat.shownIsStored();
    expect(message).toMatchObject({ outcome: 'stopped', error: { code: 'budget_spent' } });
    expect(message.text.length).toBeGreaterThan(100);
    await axe('a reply that the budget ended');
    await shots('budget-spent', chat.reply.locator('.state'));

    await page.reload();
    await chat.alive();
    const again = await said(chat);
    expect(again).toContain(SPENT);
    expect(again).toMatch(ANEW);
    expect((await chat.shownIsStored()).text).toBe(message.text);

    // Nor can it be carried on; the reply stays where it is.
    await page.getByRole('button', { name: 'Continue', exact: true }).click();
    await expect(page.locator('.dock .band')).toHaveText(ANEW);
    expect((await chat.shownIsStored()).text).toBe(message.text);
    await chat.send(simulated('More'));
    await expect(chat.box).toHaveValue(/^More/);
    await expect(page.locator('.dock .band')).toHaveText(ANEW);
    await expect(chat.replies).toHaveCount(1);
  });

  test.describe('without JavaScript', () => {
    test.use({ javaScriptEnabled: false });

    test('the growing page says it, and the page at rest', async ({ chat, page, shot }) => {
      await page.goto('/');
      await chat.box.fill(simulated('Longer than the money lasts', 'tokens=5000 rate=200'));
      await chat.sendButton.click({ noWaitAfter: true });
      const on = page.getByRole('link', { name: 'Write on' });
      await expect(on).toBeVisible({ timeout: 20_000 });
      expect(await said(chat)).toContain(SPENT);
      expect(await said(chat)).toMatch(ANEW);
      await shot('budget-spent-nojs');
      await on.click();
      await expect(page).toHaveURL(/\/c\/[^/]+$/);
      expect(await said(chat)).toContain(SPENT);
      expect(await said(chat)).toMatch(ANEW);
      await chat.shownIsStored();
    });
  });
});

test.describe('a budget that gets low', () => {
  test.use({ variables: { OUTLAST_DAILY_USD: '1', OUTLAST_DAILY_USD_USER: '0.035', OUTLAST_TURNS_A_MINUTE: '0' } });

  test('says how many replies are left, to whom it concerns', async ({ chat, page, browser, axe, shots }) => {
    test.slow();
    await page.goto('/');
    await expect(page.getByText('left today')).toHaveCount(0);
    await untilLow(page);
    await chat.open('/');
    const band = page.locator('.dock .band');
    await expect(band).toHaveText(/^About \d+ (reply is|replies are) left today\. The budget begins anew at 00:00 UTC\.$/);
    await axe('a budget that is low');
    await shots('budget-low');
    const other = await browser.newContext({ javaScriptEnabled: false });
    const theirs = await other.newPage();
    await theirs.goto(page.url());
    await expect(theirs.getByRole('textbox', { name: 'Your message' })).toBeVisible();
    await expect(theirs.getByText('left today')).toHaveCount(0);
    await other.close();
    // It is a notice, not a refusal.
    await chat.send(simulated('One of the last', 'tokens=20 rate=0'));
    await chat.ended();
    await chat.shownIsStored();
  });
});

test.describe('six messages a minute', () => {
  test.use({ variables: { OUTLAST_TURNS_A_MINUTE: '6' } });

  test('the seventh waits, its text is kept, and then it is sent', async ({ chat, page, shot, allowErrors }) => {
    allowErrors(/status of 429/);
    await chat.open('/');
    await hurry(page, 7);
    const text = simulated('Too fast');
    await chat.send(text);
    const band = page.getByText(/^Too many messages at once\. You can send again in \d+ s; your text is kept\.$/);
    await expect(band).toBeVisible();
    await expect(page.getByRole('status').filter({ hasText: 'Too many messages at once.' })).toBeAttached();
    await expect(chat.box).toHaveValue(text);
    await expect(chat.sendButton).toHaveAttribute('aria-disabled', 'true');
    await shot('pace');
    // It counts down; while it does, Enter sends nothing.
    const seconds = async () => Number(/(\d+) s/.exec((await band.allInnerTexts())[0] ?? '0 s')[1]);
    const first = await seconds();
    await chat.box.press('Enter');
    await expect.poll(seconds).toBeLessThan(first);
    await expect(chat.replies).toHaveCount(0);
    await expect(band).toHaveCount(0, { timeout: 15_000 });
    await expect(chat.box).toHaveValue(text);
    await chat.box.press('Enter');
    await chat.ended();
    await chat.shownIsStored();
  });

  test('a longer wait stands there in peace', async ({ chat, page, axe, shots, allowErrors }) => {
    allowErrors(/status of 429/);
    await chat.open('/');
    // As the server says it, with more time for the pictures.
    const error = { code: 'rate_limited', message: 'x', retryable: true, request_id: 'r', retry_after: 300 };
    await page.route('**/api/chat/send', (route) => route.fulfill({ status: 429, json: error }));
    await chat.send('Much too fast');
    await expect(page.getByText(/You can send again in \d+ s; your text is kept\./)).toBeVisible();
    await axe('a message that came too soon');
    await shots('pace-long');
  });

  test.describe('without JavaScript', () => {
    test.use({ javaScriptEnabled: false });

    test('it is said when one may send again', async ({ chat, page, shot }) => {
      await page.goto('/');
      await hurry(page, 7);
      await chat.box.fill('Too fast');
      await chat.sendButton.click();
      await expect(page.locator('.dock .band')).toHaveText(/^Too many messages at once\. You can send again in \d+ s\.$/);
      await shot('pace-nojs');
    });
  });
});
