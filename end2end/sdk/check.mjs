// Checks the simulator with the official TypeScript SDK: it must not be able to tell it from the real API.
//
// Usage: node check.mjs BASE_URL. One line per check, then "N passed, N failed"; exit status 1 if any failed.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const MODEL = "claude-sonnet-5-5";
const baseURL = process.argv[2];
if (!baseURL) {
  console.error("usage: node check.mjs BASE_URL");
  process.exit(2);
}

const options = { baseURL, apiKey: "simulated", maxRetries: 0, timeout: 20_000, logLevel: "off" };
const client = new Anthropic(options);

const user = (content) => [{ role: "user", content }];
const ask = (script, more = {}) => ({
  model: MODEL,
  max_tokens: 1000,
  messages: user(`Hello.\n/sim ${script}`),
  ...more,
});

/** The call throws exactly this error. */
async function refused(kind, call, { status, type, words }) {
  const error = await call().then(
    () => assert.fail(`no ${kind.name}`),
    (error) => error,
  );
  assert.equal(error.constructor.name, kind.name, `${error}`);
  assert.equal(error.status, status);
  assert.ok(error.requestID, "no request id");
  if (type) assert.equal(error.type, type);
  if (words) assert.ok(error.message.includes(words), `${words} is not in ${error.message}`);
  return error;
}

const checks = {
  async "streams events in the API's order"() {
    const kinds = [];
    for await (const event of await client.messages.create({ ...ask("tokens=3 rate=0 think=2"), stream: true })) {
      kinds.push(event.type);
    }
    const [start, delta, stop] = ["start", "delta", "stop"].map((part) => `content_block_${part}`);
    const blocks = [start, delta, delta, delta, stop];
    assert.deepEqual(kinds, ["message_start", ...blocks, ...blocks, "message_delta", "message_stop"]);
  },

  async "accumulates a message"() {
    let text = "";
    const stream = client.messages.stream(ask("tokens=30 rate=0 seed=7 think=5")).on("text", (piece) => (text += piece));
    const message = await stream.finalMessage();
    assert.deepEqual(
      message.content.map((block) => block.type),
      ["thinking", "text"],
    );
    assert.equal(message.content[1].text, text);
    assert.equal(message.stop_reason, "end_turn");
    assert.equal(message.usage.output_tokens, 35);
    assert.ok(message.usage.input_tokens > 0);
    const whole = await client.messages.create(ask("tokens=30 rate=0 seed=7 think=5"));
    assert.equal(whole.content[1].text, text);
  },

  async "arrives as it is made"() {
    const began = performance.now();
    let first;
    const stream = client.messages.stream(ask("tokens=20 rate=40")).on("text", () => (first ??= performance.now() - began));
    await stream.done();
    const whole = performance.now() - began;
    assert.ok(whole >= 470 && first < whole / 2, `first after ${first} ms, all after ${whole} ms`);
  },

  async "reads characters of many bytes"() {
    const plain = await client.messages.create(ask("tokens=40 utf8 seed=3 rate=0"));
    const cut = await client.messages.stream(ask("tokens=40 utf8 seed=3 rate=0 bytes=1")).finalText();
    assert.equal(cut, plain.content[0].text);
  },

  async "tells why it stopped"() {
    const short = await client.messages.create(ask("tokens=50 rate=0", { max_tokens: 4 }));
    assert.deepEqual([short.stop_reason, short.usage.output_tokens], ["max_tokens", 4]);
    const refusal = await client.messages.stream(ask("tokens=2 stop=refusal")).finalMessage();
    assert.deepEqual([refusal.stop_reason, refusal.stop_details.type], ["refusal", "refusal"]);
  },

  async "counts what is cached"() {
    const marked = ask("tokens=3 rate=0", {
      system: `Be brief. ${process.hrtime.bigint()} `.repeat(40),
      cache_control: { type: "ephemeral" },
    });
    const first = (await client.messages.create(marked)).usage;
    assert.ok(first.cache_creation_input_tokens > 100 && first.cache_read_input_tokens === 0);
    const second = (await client.messages.create(marked)).usage;
    assert.ok(second.cache_read_input_tokens > 100 && second.cache_creation_input_tokens === 0);
  },

  async "counts tokens"() {
    const { input_tokens } = await client.messages.countTokens({ model: MODEL, messages: user("word ".repeat(400)) });
    assert.ok(input_tokens >= 400 && input_tokens <= 600, `${input_tokens}`);
  },

  async "lists models"() {
    const ids = new Set();
    for await (const model of client.models.list({ limit: 2 })) {
      ids.add(model.id);
      assert.equal(model.lifecycle, "active");
      assert.ok(model.display_name && model.max_input_tokens > model.max_tokens && model.max_tokens > 0);
      assert.equal(typeof model.capabilities.thinking.types.adaptive.supported, "boolean");
    }
    assert.ok(ids.size > 2 && ids.has(MODEL));
    assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  },

  async "refuses without a key"() {
    const headers = { "x-api-key": null, authorization: null };
    await refused(Anthropic.AuthenticationError, () => client.messages.create(ask("tokens=1"), { headers }), {
      status: 401,
      type: "authentication_error",
      words: "x-api-key header is required",
    });
  },

  async "refuses without a version"() {
    const headers = { "anthropic-version": null };
    await refused(Anthropic.BadRequestError, () => client.messages.create(ask("tokens=1"), { headers }), {
      status: 400,
      type: "invalid_request_error",
      words: "anthropic-version: header is required",
    });
  },

  async "refuses bad requests"() {
    const bad = (words, change) =>
      refused(Anthropic.BadRequestError, () => client.post("/v1/messages", { body: { ...ask("tokens=1"), ...change } }), {
        status: 400,
        type: "invalid_request_error",
        words,
      });
    await bad("max_tokens: Field required", { max_tokens: undefined });
    await bad("text content blocks must be non-empty", { messages: user([{ type: "text", text: "" }]) });
    await bad('first message must use the \\"user\\" role', { messages: [{ role: "assistant", content: "Hi" }] });
    await bad("assistant message prefill", { messages: [...user("Hi"), { role: "assistant", content: "So" }] });
  },

  async "refuses an unknown model"() {
    await refused(Anthropic.NotFoundError, () => client.messages.create(ask("tokens=1", { model: "claude-none" })), {
      status: 404,
      type: "not_found_error",
    });
  },

  async "refuses as scripted"() {
    const kinds = [
      [403, Anthropic.PermissionDeniedError, "permission_error"],
      [429, Anthropic.RateLimitError, "rate_limit_error"],
      [500, Anthropic.InternalServerError, "api_error"],
      [529, Anthropic.OverloadedError, "overloaded_error"],
    ];
    for (const [status, kind, type] of kinds) {
      const call = () => client.messages.create({ ...ask(`status=${status} retry-after=7`), stream: true });
      const error = await refused(kind, call, { status, type });
      assert.equal(error.headers.get("retry-after"), "7");
    }
  },

  async "retries until it works"() {
    const patient = new Anthropic({ ...options, maxRetries: 2 });
    const script = `status=529 retry-after=0 times=2 tokens=3 rate=0 seed=${process.hrtime.bigint()}`;
    assert.equal((await patient.messages.create(ask(script))).usage.output_tokens, 3);
  },

  async "breaks in mid-stream"() {
    const read = async (fault) => {
      let texts = 0;
      try {
        const stream = await client.messages.create({ ...ask(`tokens=9 rate=0 fault=${fault}@4`), stream: true });
        for await (const event of stream) if (event.type === "content_block_delta") texts += 1;
      } catch (error) {
        return [texts, error];
      }
      return [texts, undefined];
    };
    for (const [fault, type] of [
      ["overloaded", "overloaded_error"],
      ["error", "api_error"],
    ]) {
      const [texts, error] = await read(fault);
      assert.ok(error instanceof Anthropic.APIError, `${error}`);
      assert.deepEqual([texts, error.type], [4, type]);
    }
    const [before, reset] = await read("reset");
    assert.ok(reset && before <= 4, `${before}, ${reset}`);
    assert.deepEqual(await read("truncate"), [4, undefined]);
    const [texts, garbage] = await read("garbage");
    assert.ok(garbage instanceof SyntaxError && texts === 4, `${texts}, ${garbage}`);
  },

  async "ends when the client leaves"() {
    const stream = await client.messages.create({ ...ask("tokens=100000 rate=100"), stream: true });
    for await (const event of stream) if (event.type === "content_block_delta") break;
    for (const until = performance.now() + 10_000; ; ) {
      const calls = await (await fetch(`${baseURL}/sim/calls`)).json();
      if (calls.some((call) => call.script === "tokens=100000 rate=100" && call.end === "left")) break;
      assert.ok(performance.now() < until, "it goes on");
    }
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
