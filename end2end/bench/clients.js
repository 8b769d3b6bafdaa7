// Those who ask: a keep-alive connection each, one request after another.
import { randomFillSync } from 'node:crypto';
import { Agent, request } from 'node:http';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new ULID. */
export function ulid() {
  let rest = Date.now();
  let id = '';
  for (let i = 0; i < 10; i += 1) {
    id = CROCKFORD[rest % 32] + id;
    rest = Math.floor(rest / 32);
  }
  for (const byte of randomFillSync(Buffer.alloc(16))) id += CROCKFORD[byte % 32];
  return id;
}

/** A client on one connection, with the cookie that it was given. */
export class Client {
  constructor(port) {
    this.port = port;
    this.agent = new Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
  }

  /**
   * One request to its end. `first` is the time, in ms since it was written, of the first bytes that hold `mark`
   * (of the first bytes at all without one).
   */
  ask(method, path, { body, headers = {}, mark = '' } = {}) {
    return new Promise((resolve, reject) => {
      const cookie = this.cookie ? { cookie: this.cookie } : {};
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      const options = { host: '127.0.0.1', port: this.port, agent: this.agent, method, path };
      const asked = request({ ...options, headers: { ...headers, ...cookie, ...length } }, (answer) => {
        const [given] = answer.headers['set-cookie'] ?? [];
        this.cookie ??= given?.split(';')[0];
        const done = { status: answer.statusCode, headersAt: performance.now() - since, text: '' };
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          done.text += chunk;
          if (done.first === undefined && done.text.includes(mark)) done.first = performance.now() - since;
        });
        answer.once('error', reject).once('end', () => {
          if (done.status >= 400) reject(new Error(`${path}: ${done.status} ${done.text.slice(0, 500)}`));
          else resolve(done);
        });
      });
      asked.once('error', reject);
      const since = performance.now();
      asked.end(body);
    });
  }

  close() {
    this.agent.destroy();
  }
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };

/** Asks upstream as Outlast does. */
export function askUpstream(client, text) {
  const messages = [{ role: 'user', content: text }];
  const body = JSON.stringify({ model: 'claude-sonnet-5-5', max_tokens: 32000, stream: true, messages });
  const headers = { ...JSON_TYPE, 'x-api-key': 'sk-simulated', 'anthropic-version': '2023-06-01' };
  return whole(client.ask('POST', '/v1/messages', { body, headers, mark: 'event: content_block_delta' }), 'event: message_stop');
}

/** Asks Outlast, in a new chat or in one that is there. */
export function askOutlast(client, text, { session = ulid(), fresh = true } = {}) {
  const fields = { session_id: session, turn_id: ulid(), text, ...(fresh ? { new: 'true' } : {}) };
  const body = new URLSearchParams(fields).toString();
  return whole(client.ask('POST', '/api/chat/send', { body, headers: FORM, mark: 'event: text' }), '"outcome":"complete"');
}

/** Asks the FastAPI peer. */
export function askPeer(client, text, session = ulid()) {
  const body = JSON.stringify({ session_id: session, text });
  return whole(client.ask('POST', '/chat', { body, headers: JSON_TYPE, mark: 'event: text' }), '"outcome": "complete"');
}

/** Only a whole reply counts. */
async function whole(asked, end) {
  const answer = await asked;
  if (answer.first === undefined || !answer.text.includes(end)) throw new Error(`no whole reply: ${answer.text.slice(-500)}`);
  return answer;
}

/** The value below which that share lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
