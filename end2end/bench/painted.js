// From the key to the screen: Enter to the first frame that has words of the reply in it, in Chromium.
import { chromium } from '@playwright/test';
import { Client, askUpstream, quantile } from './clients.js';
import { startOutlast, stop, tools } from './processes.js';

const SCRIPT = 'Hello\n/sim tokens=20 rate=200 ttft=0';

/** In the page: begins at the key press, ends after the frame that paints the reply's first words. */
function watch() {
  window.painted = new Promise((resolve) => {
    let since;
    const shown = document.querySelectorAll('.reply').length;
    window.addEventListener('keydown', (e) => (since ??= e.timeStamp), { capture: true });
    const observer = new MutationObserver(() => {
      const replies = document.querySelectorAll('.reply');
      const words = replies[replies.length - 1]?.querySelector('.prose')?.textContent.trim();
      if (replies.length <= shown || !words) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        // A task that is posted while a frame is made runs after it.
        const after = new MessageChannel();
        after.port1.onmessage = () => resolve(performance.now() - since);
        after.port2.postMessage(0);
      });
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

async function send(page) {
  const box = page.getByRole('textbox', { name: 'Your message' });
  await box.fill(SCRIPT);
  await page.evaluate(watch);
  // Nobody types faster; meanwhile the browser is done with what opening the page began.
  await page.waitForTimeout(500);
  await box.press('Enter');
  const took = await page.evaluate(() => window.painted);
  await page.locator('.reply').last().and(page.locator(':not([aria-busy="true"])')).waitFor();
  return took;
}

/** In ms over upstream's own median: a first message on a page just opened, and a second one in the same chat. */
export async function painted(simulator, n) {
  const outlast = await startOutlast(simulator);
  const client = new Client(simulator.port);
  const browser = await chromium.launch({
    executablePath: tools.chromium,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const times = { direct: [], fresh: [], existing: [] };
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    for (let i = 0; i < n + 3; i += 1) {
      const direct = await askUpstream(client, SCRIPT);
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${outlast.port}/`);
      await page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
      const [fresh, existing] = [await send(page), await send(page)];
      await page.close();
      if (i < 3) continue;
      times.direct.push(direct.first);
      times.fresh.push(fresh);
      times.existing.push(existing);
    }
  } finally {
    await browser.close();
    client.close();
    await stop(outlast);
  }
  const base = quantile(times.direct, 0.5);
  const over = (values) => ({ p50: quantile(values, 0.5) - base, p95: quantile(values, 0.95) - base });
  return { fresh: over(times.fresh), existing: over(times.existing) };
}
