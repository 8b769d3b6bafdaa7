// What the browser is told about trust: headers, assets, cross-site requests.
import { simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

test('the page carries a policy without unsafe-inline, and a new nonce each time', async ({ request }) => {
  const policies = [];
  for (let i = 0; i < 2; i += 1) {
    const answer = await request.get('/', { headers: { accept: 'text/html' } });
    const policy = answer.headers()['content-security-policy'];
    expect(policy).toContain("'wasm-unsafe-eval'");
    expect(policy).not.toContain('unsafe-inline');
    expect(policy).not.toMatch(/'unsafe-eval'/);
    expect(answer.headers()['x-content-type-options']).toBe('nosniff');
    expect(answer.headers()['referrer-policy']).toBeTruthy();
    policies.push(policy.match(/'nonce-([^']+)'/)[1]);
  }
  expect(policies[0]).not.toBe(policies[1]);
});

test('assets are compressed beforehand and cached for ever', async ({ chat, page, request }) => {
  const assets = [];
  page.on('response', (answer) => {
    if (new URL(answer.url()).pathname.startsWith('/pkg/')) assets.push(answer.url());
  });
  await chat.open('/');
  expect(assets.some((url) => url.endsWith('.wasm'))).toBe(true);
  for (const url of assets) {
    for (const encoding of ['br', 'gzip']) {
      const answer = await request.get(url, { headers: { 'accept-encoding': encoding } });
      expect(answer.headers()['content-encoding'], url).toBe(encoding);
      expect(answer.headers()['cache-control'], url).toContain('immutable');
    }
  }
});

test('the identity cookie is out of reach of scripts', async ({ chat, context }) => {
  await chat.open('/');
  const cookie = (await context.cookies()).find((c) => c.name === 'outlast_id');
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  expect(cookie.expires - Date.now() / 1000).toBeGreaterThan(390 * 86_400);
});

test('another site may not write', async ({ request }) => {
  for (const headers of [{ origin: 'https://elsewhere.example' }, { 'sec-fetch-site': 'cross-site' }]) {
    const answer = await request.post('/api/sessions/create', { headers });
    expect(answer.status()).toBe(403);
    expect(await answer.json()).toMatchObject({ code: 'forbidden' });
  }
  expect((await request.post('/api/sessions/create')).status()).toBe(200);
});

test('remote images are not loaded unasked', async ({ chat, page }) => {
  const outside = [];
  page.on('request', (r) => {
    if (new URL(r.url()).hostname !== '127.0.0.1' && !r.url().startsWith('data:')) outside.push(r.url());
  });
  await chat.open('/');
  await chat.send(simulated('With pictures', 'markdown tokens=900 rate=0'));
  await chat.ended('complete', { timeout: 20_000 });
  expect(await chat.reply.locator('.prose img').count()).toBe(0);
  expect(outside).toEqual([]);
});
