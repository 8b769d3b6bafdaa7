import { simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

const paper = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test('the system decides until the person does', async ({ chat, page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await chat.open('/');
  const light = await paper(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(() => paper(page)).not.toBe(light);
  const dark = await paper(page);

  await page.getByRole('button', { name: 'Light', exact: true }).click();
  await expect.poll(() => paper(page)).toBe(light);
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await expect.poll(() => paper(page)).toBe(dark);
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(() => paper(page)).toBe(dark);
  await page.getByRole('button', { name: 'As the system', exact: true }).click();
  await expect.poll(() => paper(page)).toBe(light);
});

test('a chosen theme is in the first byte: no flash', async ({ chat, page, shot }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await chat.open('/');
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const html = await (await page.request.get('/', { headers: { accept: 'text/html' } })).text();
  expect(html).toMatch(/<html[^>]*data-theme="?dark/);
  await page.reload();
  await chat.alive();
  await expect(page.getByRole('button', { name: 'Dark', exact: true, pressed: true })).toBeVisible();
  await shot('dark-empty');
  await chat.send(simulated('In the dark', 'tokens=80 rate=0'));
  await chat.ended();
  await shot('dark');
});
