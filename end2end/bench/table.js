// The figures as a table in Markdown, for the terminal and the README.
import { LEASE } from './lasting.js';

const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const times = (value) => `${value.toFixed(1)}×`;
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;

const sum = (all) => Object.values(all).reduce((a, b) => a + b, 0);
/** What processes hold, and together. */
const mb = (all) => `${(sum(all) / 1e6).toFixed(1)} MB (${Object.entries(all).map(([name, bytes]) => `${name} ${(bytes / 1e6).toFixed(1)}`).join(', ')})`;

/** A row; `met` is undefined where nothing was asked for. */
const row = (figure, measured, target, met) => ({
  figure,
  measured,
  target,
  met: met === undefined ? '' : met ? 'yes' : '**no**',
});

function firstToken(name, { fresh, existing }, limits) {
  return [
    ['new chat', fresh],
    ['existing chat', existing],
  ].map(([chat, { p50, p99 }]) =>
    row(
      `first token, over upstream's own: ${name}, ${chat}`,
      `p50 ${ms(p50)}, p99 ${ms(p99)}`,
      limits ? `p50 ≤ ${limits.p50} ms, p99 ≤ ${limits.p99} ms` : '',
      limits && p50 <= limits.p50 && p99 <= limits.p99,
    ),
  );
}

/** What remains when the store's own time, measured in one process, is taken off. */
function withoutStore(m) {
  const [fresh, existing] = ['fresh', 'existing'].map((chat) => m.embedded[chat].p50 - m.store.embedded[chat]);
  const measured = `p50 ${ms(fresh)} new, ${ms(existing)} existing (store: ${ms(m.store.embedded.fresh)}, ${ms(m.store.embedded.existing)})`;
  return row("first token, without the store's own time", measured, 'p50 ≤ 1 ms', Math.max(fresh, existing) <= 1);
}

/** Replies that another server, or the next one, writes on. */
function died(figure, { n, whole, p50, p95 }, most) {
  const measured = `${whole} of ${n} whole; to the next token p50 ${ms(p50)}, p95 ${ms(p95)}`;
  return row(figure, measured, `all; ≤ ${most / 1000} s`, whole === n && p95 <= most);
}

/** Many streams at once. */
function many({ n, rate, whole, worst, p95, each }, most) {
  const measured = `${whole} whole; the worst ${ms(worst)} behind, p95 ${ms(p95)}; ${kb(each)} each`;
  const target = `no stream more than 1 s behind${most ? `; ≤ ${most / 1024} KB each` : ''}`;
  return row(`${n.toLocaleString('en')} streams of ${rate} tokens/s, embedded`, measured, target, whole === n && worst <= 1000 && !(each > most));
}

export function table(m) {
  const { outlast, fastapi, nginx } = m.cpu;
  const dynamo = m.store.dynamodb;
  const units = m.store.write_units;
  const paint = ({ p50, p95 }) => `p50 ${ms(p50)}, p95 ${ms(p95)}`;
  const rows = [
    ...firstToken('embedded', m.embedded, { p50: 3, p99: 8 }),
    withoutStore(m),
    ...firstToken('DynamoDB Local', m.dynamodb),
    row("DynamoDB Local's own part of that", `p50 ${ms(dynamo.fresh)} new, ${ms(dynamo.existing)} existing`, ''),
    row('CPU per relayed token, stored in DynamoDB', `${outlast.us.toFixed(1)} µs`, ''),
    row('— FastAPI + boto3 + anthropic', `${fastapi.us.toFixed(1)} µs: ${times(fastapi.us / outlast.us)} ours`, '≥ 10×', fastapi.us / outlast.us >= 10),
    row('— nginx `proxy_pass`, which stores nothing', `${nginx.us.toFixed(1)} µs: ours is ${times(outlast.us / nginx.us)}`, '≤ 2×', outlast.us / nginx.us <= 2),
    row('job handed in to 202, embedded', `p50 ${ms(m.jobs.embedded.p50)}, p99 ${ms(m.jobs.embedded.p99)}`, 'p50 < 10 ms', m.jobs.embedded.p50 < 10),
    row('job handed in to 202, DynamoDB Local and ministack', `p50 ${ms(m.jobs.dynamodb.p50)}, p99 ${ms(m.jobs.dynamodb.p99)}`, 'p99 < 50 ms', m.jobs.dynamodb.p99 < 50),
    row('job handed in to first token, embedded', `p50 ${ms(m.jobs.first.p50)}, p99 ${ms(m.jobs.first.p99)}`, '< 300 ms', m.jobs.first.p99 < 300),
    row('six variants of 3 s, against one', `${ms(m.jobs.six)} against ${ms(m.jobs.one)}`, 'the slowest, not the sum', m.jobs.six < m.jobs.one * 1.5),
    row(`look at a job of ten, ${m.jobs.poll.running} running`, `${m.jobs.poll.reads} reads, ${m.jobs.poll.bytes} bytes`, '1 read and 1 for each running; ≤ 4 KB', m.jobs.poll.reads <= 1 + m.jobs.poll.running && m.jobs.poll.bytes <= 4096),
    row('spawn to first rendered byte', `${ms(m.start.outlast)}`, '≤ 30 ms', m.start.outlast <= 30),
    row('— FastAPI + boto3 + anthropic', `${ms(m.start.fastapi)}: ${times(m.start.fastapi / m.start.outlast)} ours`, '≥ 20×', m.start.fastapi / m.start.outlast >= 20),
    row('— behind the Lambda Web Adapter', `${ms(m.lambda.start.lwa)}`, '≤ 60 ms', m.lambda.start.lwa <= 60),
    row('— on Lambda without it (`outlast lambda`)', `${ms(m.lambda.start.lambda)}`, ''),
    row('— FastAPI + boto3 + anthropic behind the adapter', `${ms(m.lambda.start.fastapi)}: ${times(m.lambda.start.fastapi / m.lambda.start.lwa)} ours`, '≥ 20×', m.lambda.start.fastapi / m.lambda.start.lwa >= 20),
    row("first token, over upstream's own, behind the adapter and the emulator", `p50 ${ms(m.lambda.first.lwa)}; without the adapter ${ms(m.lambda.first.lambda)}`, ''),
    row('peak memory of an instance over 120 chats', `${mb(m.lambda.memory.lwa)}; without the adapter ${mb(m.lambda.memory.lambda)}`, '≤ 64 MB', sum(m.lambda.memory.lwa) <= 64e6),
    died('`kill -9` in mid-reply, another server alive, lease 3 s', m.deaths.killed, LEASE + 2500),
    died('SIGTERM in mid-reply, another server alive', m.deaths.released, 1000),
    died('`kill -9` and a restart, embedded', m.deaths.restarted, 1000),
    row('a follower on another server, behind what is written', `p50 ${ms(m.followers.p50)}, p95 ${ms(m.followers.p95)}`, 'p95 ≤ 500 ms', m.followers.p95 <= 500),
    many(m.streams[0]),
    many(m.streams[1], 64 * 1024),
    row('peak memory after 200 chats, DynamoDB', `${m.memory.peak.toFixed(1)} MB (${m.memory.started.toFixed(1)} at the start)`, '≤ 40 MB', m.memory.peak <= 40),
    row('first load, brotli', `${kb(m.load.total)}; blocking: ${m.load.blocking.map((f) => f.split('/').pop()).join(', ')}`, '≤ 220 KB; only CSS blocks', m.load.total <= 220_000 && m.load.blocking.every((f) => f.endsWith('.css'))),
    row(`write units of turn ${units.turns}, against turn 1`, `${units.last} against ${units.first}: ${(units.last / units.first).toFixed(2)}×`, '≤ 1.1×', units.last / units.first <= 1.1),
    row("Enter to first token painted, over upstream's own: new chat", paint(m.painted.fresh), '≤ 50 ms', m.painted.fresh.p50 <= 50),
    row("Enter to first token painted, over upstream's own: existing chat", paint(m.painted.existing), '≤ 50 ms', m.painted.existing.p50 <= 50),
  ];
  if (m.coldRunMinutes) {
    rows.push(row('cold `make run`, CPU time (measured by itself)', `${m.coldRunMinutes} min`, '≤ 15 min', m.coldRunMinutes <= 15));
  }
  const lines = rows.map((r) => `| ${r.figure} | ${r.measured} | ${r.target} | ${r.met} |`);
  return ['| figure | measured | to reach | reached |', '|---|---|---|---|', ...lines].join('\n');
}
