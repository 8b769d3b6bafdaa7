// Amazon's DynamoDB Local as a child process, in memory, for servers whose store is apart from them.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './server.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const folder = process.env.OUTLAST_DYNAMODB_LOCAL ?? path.join(root, '.tools/dynamodb');

// The shell waits for the end of its input, which comes when this process ends, however it does; then it ends Java.
const SCRIPT = `java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.library.path=DynamoDBLocal_lib \\
  -jar DynamoDBLocal.jar -inMemory -disableTelemetry -port "$0" </dev/null & java=$!; read _; kill "$java"; wait "$java"`;

export class DynamoDb {
  async start() {
    this.port = await freePort();
    this.shell = spawn('sh', ['-c', SCRIPT, String(this.port)], { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] });
    let ended = false;
    this.shell.once('error', () => (ended = true)).once('exit', () => (ended = true));
    for (const until = Date.now() + 60_000; ; ) {
      if (ended || Date.now() > until) throw new Error(`DynamoDB Local does not start in ${folder}`);
      if (await fetch(`http://127.0.0.1:${this.port}/`).then(() => true, () => false)) return this;
      await delay(50);
    }
  }

  async stop() {
    const { shell } = this;
    if (shell.exitCode !== null || shell.signalCode !== null) return;
    const gone = new Promise((resolve) => shell.once('exit', resolve));
    shell.stdin.end();
    await gone;
  }
}

/** What makes a server keep everything at that port, in a table of its own. */
export function keptAt(port) {
  return {
    OUTLAST_STORE: 'dynamodb',
    OUTLAST_TABLE: `e2e-${port}`,
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
}

const ministack = process.env.OUTLAST_MINISTACK ?? path.join(root, '.tools/ministack');

/** A real SQS API as a child process. */
export class Ministack {
  async start() {
    this.port = await freePort();
    const script = `GATEWAY_PORT="$0" "${ministack}" </dev/null & stack=$!; read _; kill "$stack"; wait "$stack"`;
    this.shell = spawn('sh', ['-c', script, String(this.port)], { stdio: ['pipe', 'ignore', 'ignore'] });
    let ended = false;
    this.shell.once('error', () => (ended = true)).once('exit', () => (ended = true));
    for (const until = Date.now() + 60_000; ; ) {
      if (ended || Date.now() > until) throw new Error(`${ministack} does not start`);
      if (await fetch(`http://127.0.0.1:${this.port}/`).then(() => true, () => false)) return this;
      await delay(50);
    }
  }

  /** What makes a server use its queue. */
  get client() {
    const url = `http://127.0.0.1:${this.port}`;
    return { AWS_ENDPOINT_URL_SQS: url, OUTLAST_QUEUE_URL: `${url}/000000000000/outlast` };
  }

  /** The body of the next message. */
  async receive() {
    const { OUTLAST_QUEUE_URL } = this.client;
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'AmazonSQS.ReceiveMessage',
          authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0',
        },
        body: JSON.stringify({ QueueUrl: OUTLAST_QUEUE_URL, WaitTimeSeconds: 2 }),
      });
      const { Messages: messages } = await answer.json();
      if (messages?.length) return messages[0].Body;
    }
  }

  async stop() {
    const { shell } = this;
    if (shell.exitCode !== null || shell.signalCode !== null) return;
    const gone = new Promise((resolve) => shell.once('exit', resolve));
    shell.stdin.end();
    await gone;
  }
}
