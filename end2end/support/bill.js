// What AWS would bill, counted from the very calls: proxies before DynamoDB Local and the queue, and how long each
// instance of the function was busy.
import http from 'node:http';

const WRITES = /^(Put|Update|Delete|TransactWrite|BatchWrite)/;
const READS = /^(Get|Query|Scan|BatchGet|TransactGet)/;
/** SQS counts each begun 64 KB of a call. */
const SQS_CALL = 64 * 1024;

class Proxy {
  constructor(target) {
    this.target = target;
    this.agent = new http.Agent({ keepAlive: true });
  }

  async start() {
    this.server = http.createServer((request, answer) => this.#pass(request, answer).catch(() => answer.destroy()));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async #pass(request, answer) {
    const body = Buffer.concat(await request.toArray());
    const action = /\.(\w+)$/.exec(request.headers['x-amz-target'] ?? '')?.[1] ?? '';
    const asked = this.asks(action, body);
    const headers = { ...request.headers, 'content-length': asked.length };
    const { method, url: path } = request;
    const onward = http.request({ host: '127.0.0.1', port: this.target, agent: this.agent, method, path, headers });
    const from = await new Promise((resolve, reject) => onward.once('response', resolve).once('error', reject).end(asked));
    const said = Buffer.concat(await from.toArray());
    this.counts(action, asked, said);
    answer.writeHead(from.statusCode, from.rawHeaders).end(said);
  }

  asks(action, body) {
    return body;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    this.agent.destroy();
  }
}

/** Before DynamoDB Local, which checks no signature: each call also asks what it costs. */
export class Units extends Proxy {
  totals = { writes: 0, reads: 0, calls: 0 };

  asks(action, body) {
    if (!WRITES.test(action) && !READS.test(action)) return body;
    return Buffer.from(JSON.stringify({ ...JSON.parse(body), ReturnConsumedCapacity: 'TOTAL' }));
  }

  counts(action, asked, said) {
    this.totals.calls += 1;
    const used = JSON.parse(said.length ? said : '{}').ConsumedCapacity;
    const units = [used ?? []].flat().reduce((sum, one) => sum + one.CapacityUnits, 0);
    if (WRITES.test(action)) this.totals.writes += units;
    if (READS.test(action)) this.totals.reads += units;
  }
}

/** Before the queue. */
export class Calls extends Proxy {
  totals = { requests: 0 };

  counts(action, asked, said) {
    this.totals.requests += Math.max(1, Math.ceil(Math.max(asked.length, said.length) / SQS_CALL));
  }
}
