// Behind Lambda's own doors: what the platform does to a request, a stream, an event and an instance.
import { simulated, splice, ulid } from '../support/chat.js';
import { CONNECTION_LOST, expect, test } from '../support/fixtures.js';

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
    expect(calls.find((call) => call.script === script).end).toBe(null);
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
    const event = (body) => ({
      Records: [{ messageId: 'm', receiptHandle: 'r', body, eventSource: 'aws:sqs', eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:outlast' }],
    });
    const done = await lambda.invoke(event(message));
    expect(done.headers.get('x-amz-function-error')).toBe(null);
    expect(done.status).toBe(200);
    await done.text();
    const status = await (await someone.ask(`/api/jobs/status?job_id=${job}`)).json();
    expect(status.status).toBe('COMPLETE');

    // The store is gone: the event is to come again.
    await database.stop();
    const failed = await lambda.invoke(event(message));
    await failed.text();
    expect(failed.headers.get('x-amz-function-error') ?? (failed.status >= 500 ? 'by status' : null)).toBeTruthy();
  });
});
