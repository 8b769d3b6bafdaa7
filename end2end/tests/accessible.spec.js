// axe finds nothing on any page, in any state, in either theme, at either width.
import { simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

for (const colorScheme of ['light', 'dark']) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('a new chat', async ({ chat, axe }) => {
      await chat.open('/');
      await axe('a new chat');
    });

    test('a reply being written, then finished', async ({ chat, axe }) => {
      await chat.open('/');
      await chat.send(simulated('Checked while running', 'tokens=3000 rate=60'));
      await chat.writing();
      await axe('a running reply');
      await chat.stopButton.click();
      await chat.ended('stopped');
      await axe('a stopped reply');
    });

    test('everything Markdown can bring', async ({ chat, axe }) => {
      await chat.open('/');
      await chat.send(simulated('Checked with Markdown', 'markdown tokens=800 rate=0'));
      await chat.ended('complete', { timeout: 20_000 });
      await axe('Markdown');
    });

    test('a failure', async ({ chat, axe, page }) => {
      await chat.open('/');
      await chat.send(simulated('Checked when failed', 'tokens=40 status=529 times=9 retry-after=0'));
      await expect(page.getByRole('alert')).toBeVisible({ timeout: 25_000 });
      await axe('a failure');
    });

    test('nothing there', async ({ chat, axe, allowErrors }) => {
      allowErrors(/status of 404/);
      await chat.open('/c/01JDJ2V0C0AAAAAAAAAAAAAAAA');
      await axe('a page that is not there');
    });
  });
}

test('the keyboard reaches everything in the order of the page', async ({ chat, page, isMobile }) => {
  test.skip(isMobile, 'a phone has no Tab key');
  await chat.open('/');
  await chat.send(simulated('By keyboard'));
  await chat.ended();
  await page.reload();
  await chat.alive();
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: /^Skip to/ })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();
});

test('motion stops where it is not wanted', async ({ chat, page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await chat.open('/');
  await chat.send(simulated('Calmly', 'tokens=200 rate=60'));
  await chat.writing();
  const moving = await page.evaluate(() =>
    document.getAnimations().filter((a) => a.playState === 'running' && a.effect.getComputedTiming().duration > 1).length,
  );
  expect(moving).toBe(0);
});
