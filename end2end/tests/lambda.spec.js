// Behind Lambda's own doors: what the platform does to a request, a stream, an event and an instance.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { simulated, splice, ulid } from '../support/chat.js';
import { CONNECTION_LOST, expect, test } from '../support/fixtures.js';

/** The event by which Lambda hands over a queue's message. */
const queued = (body) => ({
  Records: [{ messageId: 'm', receiptHandle: 'r', body, eventSource: 'aws:sqs', eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:outlast' }],
});

/** Somebody without a browser. */
class Script {
  constructor(url) {
    this.url = url;
  }

  async ask(path, { form, headers = {} } = {}) {
    const all = { ...(this.cookie ? { cookie: this.cookie } : {}), ...headers };
    const body = form && new URLSearchParams(form);
    const method = form ? 'POST' : 'GET';
    const answer = await fetch(this.url + path, { method, body, headers: all, redirect: 'manual' });
    this.cookie ??= answer.headers.getSetCookie()[0]?.split(';')[0];
    return answer;
  }

  /** Each event of a stream as it comes; `read(event)` that gives `true` leaves. */
  async events(answer, read) {
    expect(answer.status).toBe(200);
    let rest = '';
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      rest += chunk;
      const frames = rest.split('\n\n');
      rest = frames.pop();
      for (const frame of frames) {
        const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1];
        if (!field('event')) continue;
        if (await read({ event: field('event'), data: JSON.parse(field('data')), id: field('id') })) return;
      }
    }
  }

  /** Sends a new chat's first message. */
  send(text) {
    Object.assign(this, { session: ulid(), turn: ulid() });
    const form = { session_id: this.session, turn_id: this.turn, text, new: 'true' };
    return this.ask('/api/chat/send', { form });
  }

  /** Goes on in the same chat. */
  say(text) {
    this.turn = ulid();
    return this.ask('/api/chat/send', { form: { session_id: this.session, turn_id: this.turn, text } });
  }

  /** Follows the turn to its end, through as many streams as it takes. */
  async follow(answer) {
    let [end, cursor, text, streams] = [null, '', '', 0];
    const bytes = () => Buffer.from(text);
    for (; !end; answer = null) {
      streams += 1;
      const following = answer ?? (await this.ask(`/api/chat/follow?turn_id=${this.turn}&cursor=${cursor}`));
      await this.events(following, ({ event, data, id }) => {
        cursor = id ?? cursor;
        if (event === 'text') text += data.text;
        if (event === 'rewind') text = bytes().subarray(0, Number(BigInt(data.to) % 2n ** 32n)).toString();
        if (event === 'end') end = data;
      });
    }
    return { end, text, streams };
  }

  async stored() {
    return (await this.ask(`/api/sessions/get?session_id=${this.session}`)).json();
  }
}

test('a stream arrives while it is written', async ({ onLambda: { url, simulator } }) => {
  const someone = new Script(url);
  const text = simulated('Bit by bit', 'vary tokens=100 rate=50');
  const script = text.split('/sim ')[1];
  const answer = await someone.send(text);
  let written = 0;
  await someone.events(answer, async ({ event }) => {
    if (event !== 'text') return;
    written += 1;
    if (written > 1) return;
    // The first words are here, and the model is at it still.
    const calls = await (await fetch(`${simulator.url}/sim/calls`)).json();
    expect(calls.find((call) => call.script === script).end).toBe('running');
  });
  expect(written).toBeGreaterThan(5);
});

test('what says little ends at once', async ({ onLambda: { url } }) => {
  const someone = new Script(url);
  const page = await someone.ask('/', { headers: { accept: 'text/html' } });
  const html = await page.text();
  const script = /\/pkg\/[^"]+\.js/.exec(html)[0];
  const [file, moved, theme] = [
    await someone.ask(script),
    await someone.ask('/api/sessions/create', { form: {}, headers: { accept: 'text/html' } }),
    await someone.ask('/theme', { form: { theme: 'dark' }, headers: { accept: 'text/html' } }),
  ];
  expect((await file.text()).length).toBeGreaterThan(1000);
  for (const answer of [moved, theme]) {
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBeTruthy();
    await answer.text();
  }
  const etag = file.headers.get('etag');
  const since = file.headers.get('last-modified');
  const headers = etag ? { 'if-none-match': etag } : { 'if-modified-since': since };
  const again = await someone.ask(script, { headers });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

test('a client says nothing of itself that Lambda says', async ({ onLambda: { url } }) => {
  const someone = new Script(url);
  const headers = { 'x-amzn-request-context': 'null', 'content-type': 'application/json' };
  const forged = await fetch(`${url}/events`, { method: 'POST', headers, body: '{"Records":[]}' });
  expect(forged.status).toBe(404);
  await forged.text();
  const missing = await someone.ask('/api/nothing');
  expect((await missing.json()).code).toBe('not_found');
});

test.describe('an invocation that may last ten seconds', () => {
  test.use({ how: { instances: 2, seconds: 10 } });

  test('a reply of a minute is written by many of them, and nobody sees it', async ({ onLambda: { url, instances } }) => {
    test.setTimeout(180_000);
    const someone = new Script(url);
    const { end, text, streams } = await someone.follow(await someone.send(simulated('A minute', 'vary tokens=600 rate=10')));
    expect(end.outcome).toBe('complete');
    const { whole, calls } = splice(text, 600);
    expect(whole).toBe(true);
    expect(calls).toBeGreaterThan(5);
    expect(streams).toBeGreaterThanOrEqual(calls);
    const { messages } = await someone.stored();
    expect(messages[1].text).toBe(text);
    expect(messages[1].seams.every((seam) => seam.planned)).toBe(true);
    // No instance had to be ended by the platform.
    expect(instances().map((i) => i.number)).toEqual([1, 2]);
  });
});

test.describe('an instance', () => {
  test.use({ how: { instances: 3 } });

  test('that is gone in mid-reply is replaced, and the page goes on', async ({ onLambda: { url, lambda }, chat, allowErrors }) => {
    test.slow();
    allowErrors(CONNECTION_LOST);
    allowErrors(/502|500|504|Failed to load resource/);
    await chat.open(url);
    await chat.send(simulated('Replaced', 'vary tokens=200 rate=30'));
    await chat.writing(300);
    await Promise.all(lambda.busy.map((instance) => instance.kill()));
    await chat.ended('complete', { timeout: 40_000 });
    const message = await chat.shownIsStored();
    expect(splice(message.text, 200)).toEqual({ whole: true, calls: 2 });
  });

  test('that stood still for longer than the lease writes nothing more', async ({ onLambda: { url, lambda } }) => {
    test.slow();
    const someone = new Script(url);
    const answer = await someone.send(simulated('Frozen', 'vary tokens=150 rate=30'));
    let frozen;
    let text = '';
    await someone.events(answer, ({ event, data }) => {
      if (event === 'text') text += data.text;
      if (text.length < 300) return false;
      [frozen] = lambda.busy;
      frozen.signal('SIGSTOP');
      return true;
    });
    const other = new Script(url);
    Object.assign(other, { cookie: someone.cookie, session: someone.session, turn: someone.turn });
    const whole = await other.follow();
    expect(splice(whole.text, 150)).toEqual({ whole: true, calls: 2 });
    frozen.signal('SIGCONT');
    // It is idle again once it has found out; what is stored is as it was.
    await expect.poll(() => frozen.busy, { timeout: 20_000 }).toBe(false);
    expect((await other.stored()).messages[1].text).toBe(whole.text);
  });
});

test.describe('an instance that has had nothing to do for long', () => {
  test.use({ how: { instances: 1 } });

  test('is told, ends by itself, and has said before what was spent', async ({ onLambda: { url, lambda } }) => {
    const someone = new Script(url);
    const { end } = await someone.follow(await someone.send(simulated('The last for today', 'tokens=60 rate=0')));
    expect(end.outcome).toBe('complete');
    await expect.poll(() => lambda.busy.length).toBe(0);
    // It may be gone without a word, as it always is where no adapter is registered.
    expect(lambda.said).toMatch(/"SpentUsd":0\.0*[1-9]/);
    const [server] = await lambda.instances[0].shutDown();
    expect(server).toBe(0);
    expect(lambda.said).toContain('stopping');
    const again = await someone.follow(await someone.say(simulated('Tomorrow', 'tokens=60 rate=0')));
    expect(again.end.outcome).toBe('complete');
  });
});

test.describe('a night', () => {
  const clock = path.join(tmpdir(), `outlast-clock-${process.pid}`);
  const variables = { LD_PRELOAD: process.env.OUTLAST_FAKETIME, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  test.use({ how: { instances: 1, variables } });
  test.beforeAll(() => writeFile(clock, '+0'));
  test.afterAll(() => rm(clock));

  test('between two requests does no harm', async ({ onLambda: { url, lambda } }) => {
    test.skip(!process.env.OUTLAST_FAKETIME, 'nothing here moves a clock');
    const someone = new Script(url);
    const before = await someone.follow(await someone.send(simulated('In the evening', 'vary tokens=60 rate=0')));
    expect(before.end.outcome).toBe('complete');
    await expect.poll(() => lambda.busy.length).toBe(0);
    const said = lambda.said.length;
    // It stands still; in between its connections lapse, its signatures and all that it had read.
    await writeFile(clock, '+9h');
    lambda.ahead = 9 * 3600 * 1000;
    const after = await someone.follow(await someone.say(simulated('In the morning', 'vary tokens=60 rate=0')));
    expect([after.end.outcome, after.end.error]).toEqual(['complete', undefined]);
    const { messages } = await someone.stored();
    expect(messages.map((m) => m.text).filter((_, i) => i % 2)).toEqual([before.text, after.text]);
    expect(Date.parse(messages[3].created_at) - Date.parse(messages[1].created_at)).toBeGreaterThan(8 * 3600 * 1000);
    expect(lambda.said.slice(said)).not.toMatch(/"level":"(ERROR|WARN)"/);
    expect(lambda.instances.map((i) => i.number)).toEqual([1]);
  });
});

test.describe('the queue', () => {
  test.use({ how: { instances: 2, queue: true } });

  test('gives its events to the function, and takes back what fails', async ({ onLambda: { url, lambda, database } }) => {
    test.slow();
    const someone = new Script(url);
    const job = ulid();
    const form = { job_id: job, prompt: simulated('A job', 'tokens=20 rate=0'), variants: '1' };
    const submitted = await someone.ask('/api/jobs/submit', { form });
    expect(submitted.status).toBe(202);
    await submitted.text();
    const message = await lambda.queue.receive();
    const done = await lambda.invoke(queued(message));
    expect(done.status).toBe(200);
    await done.text();
    const status = await (await someone.ask(`/api/jobs/status?job_id=${job}`)).json();
    expect(status.status).toBe('COMPLETE');
    expect(lambda.errors).toBe(0);

    // The store is gone: the event is to come again.
    await database.stop();
    const failed = await lambda.invoke(queued(message));
    await failed.text();
    expect(lambda.errors).toBe(1);
  });
});

test.describe('the bill', () => {
  test.use({ how: { instances: 2, queue: true, metered: true } });

  // `OUTLAST_BILL_RATE=60` makes the figures of infra/units.json, in ten minutes.
  const rate = Number(process.env.OUTLAST_BILL_RATE) || 5000;

  test('of fifty turns is what is said, and no turn costs more than the one before', async ({ onLambda }, info) => {
    const { url, lambda, units, calls } = onLambda;
    test.setTimeout(900_000);
    const someone = new Script(url);
    const bill = () => ({ ...lambda.billed, ...units.totals, sqs: calls.totals.requests });
    const bills = [bill()];
    for (let n = 0; n < 50; n += 1) {
      // A page is loaded, something is said, and the queue looks at the turn when it is over.
      await (await someone.ask(someone.session ? `/c/${someone.session}` : '/', { headers: { accept: 'text/html' } })).text();
      const text = simulated(`Turn ${n}`, `tokens=500 rate=${rate}`);
      const answer = someone.session ? await someone.say(text) : await someone.send(text);
      const { end } = await someone.follow(answer);
      expect(end.outcome).toBe('complete');
      const look = await lambda.invoke(queued(JSON.stringify({ turn: someone.turn })));
      expect(look.status).toBe(200);
      await look.text();
      bills.push(bill());
    }
    const names = Object.keys(bills[0]);
    const between = (a, b) => Object.fromEntries(names.map((name) => [name, (bills[b][name] - bills[a][name]) / (b - a)]));
    const told = { rate, all: between(0, 50), first: between(1, 11), last: between(40, 50) };
    console.log(JSON.stringify(told));
    await info.attach('bill', { body: JSON.stringify(told, null, 2), contentType: 'application/json' });
    const { per_turn: said } = JSON.parse(await readFile(new URL('../../infra/units.json', import.meta.url), 'utf8'));
    expect(told.all.requests).toBe(said.lambda_requests.value);
    for (const [name, unit] of [['writes', 'dynamodb_writes'], ['reads', 'dynamodb_reads']]) {
      expect(told.all[name], name).toBeLessThanOrEqual(said[unit].value);
      expect(told.all[name], name).toBeGreaterThan(said[unit].value / 2);
    }
    // Faster tokens are fewer events, and less of both; the longest history makes the page.
    for (const [name, unit] of [['bytes', 'data_out_kb'], ['log', 'log_kb']]) {
      expect(told.all[name] / 1000, name).toBeLessThanOrEqual(said[unit].value);
      expect(told.all[name] / 1000, name).toBeGreaterThan(said[unit].value / 4);
    }
    expect(told.all.ms / 1000, 'seconds').toBeLessThanOrEqual(said.lambda_seconds.value);
    // The message is put in by the server; Lambda takes it out, and away.
    expect(told.all.sqs + 2).toBe(said.sqs_requests.value);
    // A long history is read in part, and never written anew.
    expect(told.last.writes).toBeLessThanOrEqual(told.first.writes + 1);
  });
});
