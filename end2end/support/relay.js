// Something between the page and its server, or between the server and its store, that can be told to misbehave.
import http from 'node:http';

export class Relay {
  /** `as-it-should`; `refuses`: closes every connection at once; `silent`: takes requests and never answers. */
  mood = 'as-it-should';
  /** The paths that were asked for. */
  asked = [];
  #open = new Set();

  /** @param {number} target the port behind it, on this machine */
  constructor(target) {
    this.target = target;
  }

  async start() {
    this.server = http.createServer((request, answer) => this.#pass(request, answer));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  #pass(request, answer) {
    this.asked.push(request.url);
    if (this.mood === 'refuses') return void request.socket.destroy();
    const open = { answer };
    this.#open.add(open);
    answer.once('close', () => this.#open.delete(open));
    if (this.mood === 'silent') return;
    const { method, url: path, headers } = request;
    open.onward = http.request({ host: '127.0.0.1', port: this.target, method, path, headers }, (from) => {
      answer.writeHead(from.statusCode, from.rawHeaders);
      answer.flushHeaders();
      from.pipe(answer);
      from.once('error', () => answer.destroy());
    });
    open.onward.once('error', () => answer.destroy());
    answer.once('close', () => open.onward.destroy());
    request.pipe(open.onward);
  }

  /** Ends every answer that is under way as if it were whole. */
  endAnswers() {
    for (const { answer, onward } of this.#open) {
      answer.end();
      onward?.destroy();
    }
  }

  /** Breaks every connection. */
  breakAll() {
    this.server.closeAllConnections();
  }

  async stop() {
    this.breakAll();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
