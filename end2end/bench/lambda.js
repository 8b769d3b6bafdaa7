// What Lambda's own doors add: the real Web Adapter, and the emulator of the runtime API and the function URL.
import { once } from 'node:events';
import path from 'node:path';
import { Client, askOutlast, askPeer, askUpstream, quantile, ulid } from './clients.js';
import { AWS, listening, spawnPeer, startOutlast, stop, tools } from './processes.js';

/** The support of the tests, which reads at its import where things are. */
async function doors() {
  Object.assign(process.env, {
    OUTLAST_BIN: tools.outlast,
    OUTLAST_SITE: tools.site,
    OUTLAST_CARGO_LAMBDA: tools.cargo_lambda,
    OUTLAST_LAMBDA_ADAPTER: tools.lambda_adapter,
  });
  return (await import('../support/lambda.js')).Lambda;
}

const variables = (simulator, dynamodb) => ({
  ...AWS,
  AWS_REGION: 'us-east-1',
  AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
  ANTHROPIC_BASE_URL: simulator.url,
  ANTHROPIC_API_KEY: 'sk-simulated',
  OUTLAST_STORE: 'dynamodb',
  OUTLAST_SECRET: 'a secret of no worth for measurements only',
  OUTLAST_ACCESS: 'open',
  OUTLAST_DAILY_USD: '100000',
  OUTLAST_TURNS_A_MINUTE: '0',
  OUTLAST_TURNS_A_MINUTE_ADDRESS: '0',
});

/** The peer behind the same adapter. */
const PEER = {
  command: (port) => [tools.python, '-m', 'uvicorn', 'app:app', '--app-dir', path.join(import.meta.dirname, 'peer_fastapi'), '--port', String(port)],
};

/** From an instance's spawn to the first byte of a page with a chat in it, in ms: the median of `n` instances. */
async function cold(Lambda, how, env, page, cookie, n) {
  const lambda = await new Lambda('bench', env, { ...how, instances: 0 }).start();
  const times = [];
  for (let i = 0; i < n; i += 1) {
    const client = new Client(lambda.port);
    client.cookie = cookie;
    const asked = performance.now();
    const answering = client.ask('GET', page);
    const instance = await lambda.another();
    const answer = await answering;
    if (!answer.text.includes('A chat to show')) throw new Error('the chat was not rendered');
    times.push(asked + answer.first - instance.started);
    client.close();
    instance.end();
    await Promise.all(instance.children.map((c) => (c.exitCode ?? c.signalCode) === null && once(c, 'exit')));
    lambda.instances = [];
  }
  await lambda.dispose();
  return quantile(times, 0.5);
}

export async function onLambda(simulator, dynamodb, { starts = 15, chats = 20, n = 100 }) {
  const Lambda = await doors();
  const env = variables(simulator, dynamodb);
  const outlast = await startOutlast(simulator, dynamodb);
  const owner = new Client(outlast.port);
  const session = ulid();
  await askOutlast(owner, 'A chat to show\n/sim tokens=5 rate=0', { session });
  owner.close();
  await stop(outlast);
  const peer = await spawnPeer(simulator, dynamodb);
  await listening(peer, peer.port);
  await askPeer(new Client(peer.port), 'A chat to show\n/sim tokens=5 rate=0', session);
  await stop(peer);

  // As where it is asked directly (figures.js): the list of chats has it.
  const ours = '/';
  const start = {
    lwa: await cold(Lambda, { mode: 'lwa' }, env, ours, owner.cookie, starts),
    lambda: await cold(Lambda, { mode: 'lambda' }, env, ours, owner.cookie, starts),
    fastapi: await cold(Lambda, { mode: 'lwa', ...PEER }, { ...env, PEER_TABLE: 'peer' }, `/?session_id=${session}`, '', Math.ceil(starts / 3)),
  };
  const first = {};
  const memory = {};
  for (const mode of ['lwa', 'lambda']) {
    const lambda = await new Lambda('bench', env, { mode }).start();
    const [direct, web] = [new Client(simulator.port), new Client(lambda.port)];
    const times = { direct: [], web: [] };
    for (let i = 0; i < n; i += 1) {
      times.direct.push((await askUpstream(direct, 'Hello\n/sim tokens=5 rate=0 ttft=0 seed=1')).first);
      times.web.push((await askOutlast(web, 'Hello\n/sim tokens=5 rate=0 ttft=0 seed=1')).first);
    }
    first[mode] = quantile(times.web, 0.5) - quantile(times.direct, 0.5);
    for (let i = 0; i < chats; i += 1) await askOutlast(web, 'Hello\n/sim tokens=400 rate=200');
    memory[mode] = await lambda.instances[0].memory();
    direct.close();
    web.close();
    await lambda.dispose();
  }
  return { start, first, memory };
}
