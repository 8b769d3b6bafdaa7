// Claude stops sending without a word: noticed, carried on, and if that does not help said.
import { simulated } from '../support/chat.js';
import { expect, test as base } from '../support/fixtures.js';

const test = base.extend({
  baseURL: async ({ ownServer }, use) => use(ownServer.url),
  variables: { OUTLAST_STALL_MS: '500' },
});

test('a reply that stalls is carried on to its end', async ({ chat }) => {
  await chat.open('/');
  await chat.send(simulated('Stall once', 'tokens=120 rate=400 fault=stall@40 times=1'));
  await chat.ended('complete', { timeout: 20_000 });
  const message = await chat.shownIsStored();
  expect(message.outcome).toBe('complete');
  expect(message.seams.length).toBe(1);
});

test('a stall that lasts ends in plain words, and the chat is free again', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('Stall for good', 'tokens=80 rate=400 fault=stall@0'));
  await expect(page.getByRole('alert')).toContainText('Claude stopped sending.', { timeout: 30_000 });
  await expect(page.getByRole('alert')).toContainText('Nothing was written. Your message is kept.');
  await shot('stalled');
  await page.getByText('What happened').click();
  await expect(page.getByText('upstream_stalled')).toBeVisible();
  await chat.send(simulated('After the stall'));
  await chat.ended();
  await chat.shownIsStored();
});
