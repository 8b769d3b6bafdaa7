// How a reply can end other than well, and what one can do then.
import { simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

test('stop keeps what was written', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Stop me', 'tokens=2000 rate=40'));
  await chat.writing();
  await chat.stopButton.click();
  await chat.ended('stopped');
  await expect(page.getByText('What was written is kept.')).toBeVisible();
  await expect(page.getByRole('status').filter({ hasText: 'Stopped.' })).toBeAttached();
  await shot('stopped');
  const message = await chat.shownIsStored();
  expect(message.outcome).toBe('stopped');
  expect(message.text.length).toBeGreaterThan(0);
  // The chat goes on from there.
  await chat.send(simulated('After the stop'));
  await chat.ended();
  await chat.shownIsStored();
});

test('stop works from the keyboard, and from another tab', async ({ chat, page, context }) => {
  await chat.open('/');
  await chat.send(simulated('Stop by key', 'tokens=2000 rate=40'));
  await chat.writing();
  await page.keyboard.press('Control+.');
  await chat.ended('stopped');

  await chat.send(simulated('Stop from there', 'tokens=2000 rate=40'));
  await chat.writing();
  const { active_turn } = await chat.stored();
  const answer = await context.request.post('/api/chat/stop', { form: { turn_id: active_turn } });
  expect(answer.status()).toBe(200);
  await chat.ended('stopped');
  await chat.shownIsStored();
});

test('an overloaded moment passes unseen', async ({ chat }) => {
  await chat.open('/');
  await chat.send(simulated('Overloaded once', 'tokens=40 rate=0 status=529 times=1 retry-after=0'));
  await chat.ended('complete', { timeout: 20_000 });
  await chat.shownIsStored();
});

test('an overload that lasts is said, and trying again works', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Overloaded for long', 'tokens=40 rate=0 status=529 times=4 retry-after=0'));
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('Claude is overloaded just now.', { timeout: 25_000 });
  await expect(alert).toContainText('Nothing was written. Your message is kept.');
  await shot('overloaded');
  // No word of apology, and the code only under "What happened".
  await expect(page.getByText(/sorry|oops/i)).toHaveCount(0);
  await page.getByText('What happened').click();
  await expect(page.getByText('upstream_overloaded')).toBeVisible();

  await page.getByRole('button', { name: 'Try again' }).click();
  await chat.ended('complete', { timeout: 20_000 });
  await expect(page.getByText('2 of 2')).toBeVisible();
  await chat.shownIsStored();
});

test('a refusal is shown as one', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Decline this', 'tokens=10 rate=0 stop=refusal'));
  await expect(page.getByText('Claude declined to answer this.')).toBeVisible();
  await expect(page.getByText('Put it another way, or ask for something near it.')).toBeVisible();
  await shot('refused');
  const { messages } = await chat.stored();
  expect(messages.at(-1)).toMatchObject({ outcome: 'complete', stop_reason: 'refusal' });
  await page.getByRole('button', { name: 'Edit the question' }).last().click();
  await expect(page.getByRole('textbox', { name: 'The question, put another way' })).toHaveValue(/^Decline this/);
});

test('the length limit is named', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Too long an answer', 'tokens=60 rate=0 stop=max_tokens'));
  await chat.ended('cut');
  await expect(page.getByText('The reply reached its length limit.')).toBeVisible();
  await shot('cut-off');
});

test('a reset in mid-reply that does not pass ends in plain words', async ({ chat, page, shot }) => {
  // So early that no attempt to carry on gets past where it joins.
  await chat.open('/');
  await chat.send(simulated('Reset', 'tokens=200 rate=200 fault=reset@3'));
  await chat.ended('failed', { timeout: 30_000 });
  await expect(page.getByText('The reply broke off and could not be carried on.')).toBeVisible();
  await expect(page.getByText('What was written is kept.')).toBeVisible();
  await shot('broken-off');
  const message = await chat.shownIsStored();
  expect(message.outcome).toBe('failed');
  // The chat is free again.
  await chat.send(simulated('After the reset'));
  await chat.ended();
});

for (const fault of ['garbage', 'error', 'truncate']) {
  test(`after the fault ${fault} the chat is never left hanging`, async ({ chat, page }) => {
    await chat.open('/');
    await chat.send(simulated(`With ${fault}`, `tokens=200 rate=200 fault=${fault}@40 times=1`));
    await expect(chat.reply).not.toHaveAttribute('aria-busy', 'true', { timeout: 30_000 });
    await page.reload();
    await chat.alive();
    await chat.shownIsStored();
  });
}

test('a message that is too long is refused with the figure', async ({ chat, page }) => {
  await chat.open('/');
  await chat.box.fill('x'.repeat(200_001));
  await expect(page.getByText('200,001 characters')).toBeVisible();
  await chat.box.press('Enter');
  await expect(chat.replies).toHaveCount(0);
});

test('too many messages at once: the time is counted down, the text is kept', async ({ chat, page, shot, allowErrors }) => {
  allowErrors(/429/);
  await chat.open('/');
  // As any limiter in front of the server, or in it, may answer.
  const error = { code: 'rate_limited', message: 'Too many messages.', retryable: true, request_id: 'r', retry_after: 4 };
  await page.route(
    '**/api/chat/send',
    (route) => route.fulfill({ status: 429, headers: { 'retry-after': '4' }, json: error }),
    { times: 1 },
  );
  const text = simulated('One too many');
  await chat.send(text);
  const band = page.getByText(/Too many messages at once\. You can send again in \d+ s; your text is kept\./);
  await expect(band).toContainText('4 s');
  await shot('rate-limited');
  await expect(chat.box).toHaveValue(text);
  // Sooner is not sent.
  await chat.box.press('Enter');
  await expect(band).toContainText('2 s');
  await expect(chat.replies).toHaveCount(0);
  await expect(band).toHaveCount(0);
  await chat.box.press('Enter');
  await chat.ended();
  await chat.shownIsStored();
});
