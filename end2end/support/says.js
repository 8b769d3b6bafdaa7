// A Messages API that says what it is told to: the question's number chooses the text.
import { createServer } from 'node:http';

/** Serves until `close`. `texts[n]` answers a question that holds `text n`. */
export async function says(texts) {
  const server = createServer((req, res) => {
    if (req.method !== 'POST') {
      res.writeHead(404, { 'content-type': 'application/json' });
      res.end('{"type":"error","error":{"type":"not_found_error","message":"x"}}');
      return;
    }
    let body = '';
    req.on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      const asked = JSON.parse(body).messages.at(-1).content;
      const words = typeof asked === 'string' ? asked : asked.map((block) => block.text).join('');
      const text = texts[Number(/text (\d+)/.exec(words)?.[1] ?? 0)];
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = (type, more) => res.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
      const usage = { input_tokens: 1, output_tokens: 1 };
      event('message_start', {
        message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], usage },
      });
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
      // In small pieces, so that every half of a construct is once the end of what is there.
      for (const piece of text.match(/[\s\S]{1,7}/gu)) {
        event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: piece } });
      }
      event('content_block_stop', { index: 0 });
      event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 9 } });
      event('message_stop', {});
      res.end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
