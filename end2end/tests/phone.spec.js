import { simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

const noSideways = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);

test('a chat on a phone', async ({ chat, page, shot }) => {
  await chat.open('/');
  await shot('empty');
  await chat.box.fill(simulated('On the way', 'tokens=200 rate=80'));
  await chat.sendButton.tap();
  await chat.writing();
  await shot('writing');
  expect(await noSideways(page)).toBe(true);
  await page.reload();
  await chat.alive();
  await chat.ended();
  await chat.shownIsStored();
  await shot('complete');
});

test('the drawer holds the chats, and closes by its button, by Escape and by choosing', async ({ chat, page, shot }) => {
  await chat.open('/');
  await chat.send(simulated('In the drawer'));
  await chat.ended();
  await page.goto('/');
  await chat.alive();
  const drawer = page.getByRole('navigation');
  const opener = page.getByRole('button', { name: /^Chats/ });
  await expect(drawer).toBeHidden();

  await opener.tap();
  await expect(drawer).toBeVisible();
  await shot('drawer');
  await page.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(opener).toBeFocused();

  await opener.tap();
  await drawer.getByRole('button', { name: 'Close' }).tap();
  await expect(drawer).toBeHidden();

  await opener.tap();
  await drawer.getByRole('link', { name: /^In the drawer/ }).tap();
  await expect(page).toHaveURL(/\/c\//);
  await chat.alive();
  await expect(page.getByRole('navigation')).toBeHidden();
  await expect(chat.question('In the drawer')).toBeVisible();
});

test('what a finger touches is large enough', async ({ chat, page }) => {
  await chat.open('/');
  await chat.send(simulated('To be touched'));
  await chat.ended();
  const small = await page.evaluate(() =>
    [...document.querySelectorAll('button, select, .row')]
      .filter((e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
      .map((e) => [e.textContent.trim() || e.getAttribute('aria-label'), e.getBoundingClientRect()])
      .filter(([, box]) => box.width > 1 && (box.width < 43.5 || box.height < 43.5))
      .map(([name, box]) => `${name}: ${box.width} × ${box.height}`),
  );
  expect(small).toEqual([]);
});

test('the page reflows at 320', async ({ chat, page, shot }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await chat.open('/');
  await chat.send(simulated('Narrow', 'markdown tokens=400 rate=0'));
  await chat.ended('complete', { timeout: 20_000 });
  expect(await noSideways(page)).toBe(true);
  await shot('320');
});
