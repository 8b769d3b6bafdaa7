// Jobs: handed in, watched, left, found again, compared; and what a variant in HTML may not do.
import { createServer } from 'node:http';
import { CONNECTION_LOST, expect, test } from '../support/fixtures.js';
import { simulated } from '../support/chat.js';

/** axe goes into every frame, and a preview lets nothing in: it is looked at without them. */
async function axeAround(page, axe, what) {
  await page.evaluate(() => document.querySelectorAll('iframe').forEach((frame) => frame.remove()));
  await axe(what);
}

/** Hands a job in by the form, as a person does. */
async function handIn(page, prompt, { variants = 3, schema } = {}) {
  await page.goto('/jobs/new');
  await page.getByLabel('Prompt').fill(prompt);
  await page.getByLabel('Variants').fill(String(variants));
  if (schema) await page.getByLabel('Shape of the answer').fill(schema);
  await page.getByRole('button', { name: 'Hand in' }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9A-HJKMNP-TV-Z]{26}$/);
}

const card = (page, n) =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 2, name: `Variant ${n}`, exact: true }) });
const tally = (page, words) => expect(page.locator('.page-head p').getByText(words)).toBeVisible({ timeout: 20_000 });

// axe runs itself in every frame, and a preview runs nothing.
const AXE_IN_A_PREVIEW = /Blocked script execution in '[^']*\/preview'/;

test('a job is handed in, watched, left and compared', async ({ chat, page, axe, shots, allowErrors }) => {
  test.slow();
  allowErrors(AXE_IN_A_PREVIEW);
  await chat.open('/');
  await page.keyboard.press('Escape');
  await page.getByRole('navigation').getByRole('link', { name: 'Jobs' }).click();
  await expect(page.getByRole('heading', { name: 'Hand in, and walk away.' })).toBeVisible();
  await axe('the empty list');
  await page.getByRole('link', { name: 'New job' }).click();
  await chat.alive();
  await axe('the form');
  await shots('job-new');
  await handIn(page, 'A landing page for a tide notebook\n/sim html rate=5', { variants: 6 });
  await chat.alive();
  await expect(card(page, 1).locator('[data-text]')).toContainText('<!DOCTYPE html>');
  // The tab says how far the job is.
  await expect(page).toHaveTitle(/\d of 6 · A landing page/);
  await tally(page, /0 of 6 done/);
  await axe('a running job');
  await shots('job-running');

  // Away, and back: it went on.
  const at = page.url();
  await page.goto('/jobs');
  await expect(page.getByText('One job is running:')).toBeVisible();
  await shots('jobs');
  await axe('the list');
  await expect(page.getByText('Done', { exact: true })).toBeVisible({ timeout: 60_000 });
  await page.goto(at);
  await chat.alive();
  await tally(page, '6 of 6 done');
  await expect(card(page, 1).locator('iframe')).toBeVisible();
  await shots('job-done');
  await axeAround(page, axe, 'a finished job');

  const boxes = page.getByRole('checkbox', { name: /Compare/ });
  await expect(boxes.nth(0)).toBeChecked();
  await expect(boxes.nth(1)).toBeChecked();
  // There are fewer landing pages than variants, so two of them may be the same.
  const text = async (n) => (await page.request.get(`${new URL(at).pathname}/${n}/text`)).text();
  const texts = await Promise.all([0, 1, 2, 3, 4, 5].map(text));
  const other = texts.findLastIndex((each) => each !== texts[0]);
  await boxes.nth(1).uncheck();
  await boxes.nth(other).check();
  await page.getByRole('button', { name: 'Compare two' }).click();
  await expect(page.getByRole('heading', { name: `Variant 1 and variant ${other + 1}` })).toBeVisible();
  await expect(page.getByText(/They differ in \d+ places/)).toBeVisible();
  expect(await page.locator('del').count()).toBeGreaterThan(0);
  expect(await page.locator('ins').count()).toBeGreaterThan(0);
  await axe('two compared');
  await shots('job-compare');
});

test('a finish is announced in the title, and nothing asks on', async ({ chat, page }) => {
  await page.clock.install();
  await handIn(page, simulated('Soon done', 'tokens=40 rate=40'), { variants: 2 });
  await chat.alive();
  await expect(page).toHaveTitle(/^Done: Soon done/, { timeout: 20_000 });
  await tally(page, '2 of 2 done');
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  // Whatever waits for its time, gets it.
  await page.clock.runFor(120_000);
  expect(asked).toEqual([]);
});

test('a hidden tab asks nothing, and still learns of the end', async ({ chat, page, context }) => {
  await context.addInitScript(() => {
    window.told = [];
    window.Notification = class {
      static permission = 'granted';
      static requestPermission = async () => 'granted';
      constructor(title, options) {
        window.told.push(`${title} ${options.body}`);
      }
    };
  });
  const polls = [];
  page.on('request', (request) => request.url().includes('/api/jobs/status') && polls.push(request.url()));
  await handIn(page, simulated('Behind another tab', 'tokens=200 rate=40'), { variants: 2 });
  await chat.alive();
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  const before = polls.length;
  await expect(page).toHaveTitle(/^Done: Behind another tab/, { timeout: 20_000 });
  // One look for each variant that ended, none by the clock.
  expect(polls.length - before).toBeLessThanOrEqual(3);
  expect(await page.evaluate(() => window.told)).toEqual(['Job: Done Behind another tab']);
});

test('a job is cancelled, and run again', async ({ chat, page }) => {
  await handIn(page, simulated('To be cancelled', 'tokens=400 rate=40'), { variants: 2 });
  await chat.alive();
  await expect(card(page, 1).locator('[data-text]')).not.toBeEmpty();
  await page.getByRole('button', { name: 'Cancel job' }).click();
  await tally(page, /2 cancelled/);
  await expect(card(page, 1).getByText(/What it wrote, .* is kept\./)).toBeVisible();
  await page.getByRole('button', { name: 'Run the 2 cancelled' }).click();
  await chat.alive();
  await expect(card(page, 1).getByText('Writing')).toBeVisible();
  await page.getByRole('button', { name: 'Stop variant 2' }).click();
  await expect(card(page, 2).getByText('Cancelled', { exact: true })).toBeVisible();
});

test('a failure says why, and is tried again', async ({ chat, page }) => {
  await handIn(page, simulated('Overloaded for a while', 'tokens=40 rate=0 status=529 times=4 retry-after=0'), { variants: 1 });
  await chat.alive();
  await expect(card(page, 1).getByText('Claude is overloaded just now.')).toBeVisible({ timeout: 20_000 });
  await page.getByRole('button', { name: 'Retry the failed one' }).click();
  await tally(page, '1 of 1 done');
});

test('a schema is checked as one types, and by the server', async ({ chat, page, allowErrors }) => {
  allowErrors(/422/);
  await chat.open('/jobs/new');
  const schema = page.getByLabel('Shape of the answer');
  await schema.fill('{\n  "type": "object",\n  "properties" {}\n}');
  await expect(page.getByText('Not JSON yet: line 3, column 16.')).toBeVisible();
  await page.getByLabel('Prompt').fill('Say yes or no');
  await page.getByRole('button', { name: 'Yes or no, with a reason' }).click();
  await chat.alive();
  await expect(page.getByText('JSON, 2 fields')).toBeVisible();
  await expect(page.getByLabel('Prompt')).toHaveValue('Say yes or no');
  await schema.fill('{"type": "objekt"}');
  await page.getByRole('button', { name: 'Hand in' }).click();
  await expect(page.getByRole('alert')).toContainText('JSON Schema');
  await expect(page.getByLabel('Prompt')).toHaveValue('Say yes or no');
  await page.getByRole('button', { name: 'Yes or no, with a reason' }).click();
  await page.getByRole('button', { name: 'Hand in' }).click();
  await tally(page, '3 of 3 done');
  await card(page, 1).getByRole('link', { name: 'Variant 1, full view' }).click();
  await expect(page.locator('.tree').getByText('answer')).toBeVisible();
});

test('a variant is read, copied, kept and taken into a chat', async ({ chat, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await handIn(page, 'Say *this* back\n/sim echo', { variants: 2 });
  await tally(page, '2 of 2 done');
  await page.reload();
  await chat.alive();
  await card(page, 1).getByRole('button', { name: 'Copy variant 1' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('Say *this* back');
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download 2' }).click();
  expect((await download).suggestedFilename()).toMatch(/^job-.*\.zip$/);
  await card(page, 2).getByRole('link', { name: 'Variant 2, full view' }).click();
  await expect(page.locator('.prose em')).toHaveText('this');
  await page.getByRole('link', { name: 'Text', exact: true }).click();
  await expect(page.locator('.raw')).toHaveText('Say *this* back');
  await page.getByRole('link', { name: 'Use this in a chat' }).click();
  await chat.alive();
  await expect(chat.box).toHaveValue('Say *this* back');
});

test('what stands in the composer is sent as a job', async ({ chat, page }) => {
  await chat.open('/');
  await chat.box.fill('From the composer\n/sim echo');
  await page.getByRole('button', { name: 'As a job' }).click();
  await chat.alive();
  await expect(page.getByLabel('Prompt')).toHaveValue('From the composer\n/sim echo');
  await page.getByRole('button', { name: 'Hand in' }).click();
  await tally(page, '3 of 3 done');
});

test('J leads to the jobs', async ({ chat, page }) => {
  await chat.open('/');
  await page.locator('body').click({ position: { x: 700, y: 120 } });
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('j');
  await expect(page).toHaveURL(/\/jobs$/);
});

test('HTML that a model wrote runs nothing and reaches nothing', async ({ chat, page, context, allowErrors }) => {
  // Chromium says of each thing that it refuses.
  allowErrors(/sandboxed|Content Security Policy|Blocked|Unsafe attempt|Refused|violates/i);
  const reached = [];
  const trap = createServer((req, res) => {
    reached.push(req.url);
    res.end();
  });
  trap.on('connection', () => reached.push('a connection'));
  await new Promise((resolve) => trap.listen(0, '127.0.0.1', resolve));
  const evil = `http://127.0.0.1:${trap.address().port}`;
  const html = `<!DOCTYPE html><html><head><title>t</title>
<meta http-equiv="refresh" content="0; url=${evil}/refresh">
<link rel="stylesheet" href="${evil}/style"><link rel="preconnect" href="${evil}"><link rel="dns-prefetch" href="${evil}">
<link rel="prefetch" href="${evil}/prefetch"><base href="${evil}/">
<style>@import url(${evil}/import); body { background: url(${evil}/background); color: rgb(1, 2, 3) }
@font-face { font-family: f; src: url(${evil}/font) } p { font-family: f }</style></head>
<body onload="top.hacked = 1"><p id="words">These are the words</p>
<script>top.hacked = 2; fetch('${evil}/fetch'); document.getElementById('words').textContent = 'changed'</script>
<img src="${evil}/image" onerror="top.hacked = 3"><img srcset="${evil}/srcset 1x"><svg><image href="${evil}/svg"/></svg>
<iframe src="${evil}/frame"></iframe><IFRAME
src="${evil}/frame2"></IFRAME><iframe srcdoc="<script>top.hacked = 4</script><img src=${evil}/nested>"></iframe>
<object data="${evil}/object"></object><embed src="${evil}/embed"><video src="${evil}/video" autoplay></video>
<audio src="${evil}/audio" autoplay></audio><form id="f" action="${evil}/form" method="post"><input name="a" autofocus>
<button id="send">Send</button></form><a id="top" href="${evil}/top" target="_top">Top</a>
<a id="blank" href="${evil}/blank" target="_blank" ping="${evil}/ping">Blank</a><a id="self" href="${evil}/self">Self</a>
<a id="js" href="javascript:top.hacked=5">JS</a></body></html>`;
  await handIn(page, `${html.replaceAll('\n', ' ')}\n/sim echo`, { variants: 1 });
  const job = page.url();
  await tally(page, '1 of 1 done');
  await page.reload();
  await chat.alive();
  await expect(card(page, 1).frameLocator('iframe').locator('#words')).toHaveText('These are the words');
  await page.goto(`${job}?v=0`);
  await chat.alive();
  const frame = page.frameLocator('main iframe');
  await expect(frame.locator('#words')).toHaveText('These are the words');
  // Its own styles it may have.
  await expect(frame.locator('body')).toHaveCSS('color', 'rgb(1, 2, 3)');
  await frame.locator('#send').click();
  await frame.locator('#top').click();
  await frame.locator('#blank').click();
  await frame.locator('#js').click();
  await frame.locator('#self').click();
  expect(page.url()).toBe(`${job}?v=0`);
  expect(context.pages()).toHaveLength(1);
  expect(await page.evaluate(() => window.hacked)).toBeUndefined();
  // Opened by itself it is held as well.
  const alone = await context.newPage();
  await alone.goto(`${job}/0/preview`);
  await expect(alone.locator('#words')).toHaveText('These are the words');
  expect(await alone.evaluate(() => window.origin)).toBe('null');
  expect(alone.url()).toBe(`${job}/0/preview`);
  await alone.close();
  expect(reached).toEqual([]);
  await new Promise((resolve) => trap.close(resolve));
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('a job is handed in, looked at and cancelled by form', async ({ page, shot }) => {
    await page.goto('/jobs/new');
    await page.getByLabel('Prompt').fill('By hand\n/sim tokens=600 rate=40');
    await page.getByRole('button', { name: 'Product record' }).click();
    await expect(page.getByLabel('Prompt')).toHaveValue('By hand\n/sim tokens=600 rate=40');
    await page.getByLabel('Shape of the answer').fill('');
    await page.getByRole('button', { name: 'Hand in' }).click();
    await expect(page.getByText('This page looks again every 3 s until the job is done.')).toBeVisible();
    await expect(page.getByText(/\d+ characters so far\./).first()).toBeVisible({ timeout: 20_000 });
    await shot('job-nojs');
    await page.getByRole('button', { name: 'Cancel job' }).click({ noWaitAfter: true });
    await tally(page, /3 cancelled/);
    await expect(page.getByText('This page looks again')).toHaveCount(0);
    await page.getByRole('link', { name: 'Variant 1, full view' }).click();
    await expect(page.getByText(/What it wrote/)).toBeVisible();
    // Nothing that needs a script is there.
    await expect(page.getByRole('button', { name: /Copy|Notify/ })).toHaveCount(0);
  });

  test('what is refused keeps what was written', async ({ page, allowErrors }) => {
    allowErrors(/422/);
    await page.goto('/jobs/new');
    await page.getByLabel('Prompt').fill('Kept');
    await page.getByLabel('Shape of the answer').fill('{"type": "objekt"}');
    await page.getByRole('button', { name: 'Hand in' }).click();
    await expect(page.getByRole('alert')).toContainText('JSON Schema');
    await expect(page.getByLabel('Prompt')).toHaveValue('Kept');
  });
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

  test('nothing is wider than the screen', async ({ chat, page, axe, allowErrors }) => {
    allowErrors(AXE_IN_A_PREVIEW);
    const fits = async (what) => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(wider, what).toBeLessThanOrEqual(0);
      await axeAround(page, axe, what);
    };
    await chat.open('/jobs/new');
    await fits('the form');
    await handIn(page, 'A page about the sea\n/sim html rate=0', { variants: 2 });
    await tally(page, '2 of 2 done');
    await page.reload();
    await chat.alive();
    await fits('a job');
    await page.getByRole('button', { name: 'Compare two' }).click();
    await fits('two compared');
    await page.goto('/jobs');
    await chat.alive();
    await fits('the list');
  });
});

test('a server that is killed in mid-job finishes it', async ({ browser, ownServer, allowErrors }) => {
  allowErrors(CONNECTION_LOST);
  const context = await browser.newContext({ baseURL: ownServer.url });
  const page = await context.newPage();
  await handIn(page, simulated('Through a crash', 'tokens=150 rate=40'), { variants: 2 });
  await expect(card(page, 1).locator('[data-text]')).not.toBeEmpty();
  await ownServer.stop('SIGKILL');
  await ownServer.start();
  await expect(page).toHaveTitle(/^Done: Through a crash/, { timeout: 30_000 });
  await tally(page, '2 of 2 done');
  await context.close();
});
