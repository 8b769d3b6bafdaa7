"""Checks the simulator with the official Python SDK: it must not be able to tell it from the real API.

Usage: check.py BASE_URL. One line per check, then "N passed, N failed"; exit status 1 if any failed.
"""

import sys
import time

import anthropic
from anthropic import Anthropic, Omit

MODEL = "claude-sonnet-5-5"
BASE_URL = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)

client = Anthropic(base_url=BASE_URL, api_key="simulated", max_retries=0, timeout=20)
checks = []


def check(function):
    checks.append(function)
    return function


def user(text):
    return [{"role": "user", "content": text}]


def ask(script, **more):
    return {"model": MODEL, "max_tokens": 1000, "messages": user(f"Hello.\n/sim {script}"), **more}


def equal(got, want):
    assert got == want, f"{got!r} is not {want!r}"


def refused(kind, call, *, status=None, type=None, words=None):
    """The call raises exactly this exception."""
    try:
        call()
    except anthropic.APIError as error:
        equal(error.__class__.__name__, kind.__name__)
        if status is not None:
            equal(error.status_code, status)
            assert error.request_id, "no request id"
        if type is not None:
            equal(error.type, type)
        if words is not None:
            assert words in str(error), f"{words!r} is not in {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


@check
def streams_events_in_the_apis_order():
    with client.messages.create(**ask("tokens=3 rate=0 think=2"), stream=True) as stream:
        kinds = [event.type for event in stream]
    block = ["content_block_start", "content_block_delta", "content_block_delta"]
    equal(
        kinds,
        ["message_start", *block, "content_block_delta", "content_block_stop"]
        + [*block, "content_block_delta", "content_block_stop", "message_delta", "message_stop"],
    )


@check
def accumulates_a_message():
    with client.messages.stream(**ask("tokens=30 rate=0 seed=7 think=5")) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    equal([block.type for block in message.content], ["thinking", "text"])
    equal(message.content[1].text, text)
    assert message.content[0].signature, "the thinking is not signed"
    equal((message.stop_reason, message.role, message.model), ("end_turn", "assistant", MODEL))
    equal(message.usage.output_tokens, 35)
    assert message.usage.input_tokens > 0, "no input"
    whole = client.messages.create(**ask("tokens=30 rate=0 seed=7 think=5"))
    equal(whole.content[1].text, text)
    equal(whole.usage.output_tokens, 35)


@check
def arrives_as_it_is_made():
    began = time.monotonic()
    with client.messages.stream(**ask("tokens=20 rate=40")) as stream:
        texts = stream.text_stream
        next(texts)
        first = time.monotonic() - began
        for _ in texts:
            pass
    whole = time.monotonic() - began
    assert whole >= 0.47 and first < whole / 2, f"first after {first:.3f} s, all after {whole:.3f} s"


@check
def reads_characters_of_many_bytes():
    plain = client.messages.create(**ask("tokens=40 utf8 seed=3 rate=0")).content[0].text
    with client.messages.stream(**ask("tokens=40 utf8 seed=3 rate=0 bytes=1")) as stream:
        equal("".join(stream.text_stream), plain)


@check
def tells_why_it_stopped():
    message = client.messages.create(**{**ask("tokens=50 rate=0"), "max_tokens": 4})
    equal((message.stop_reason, message.usage.output_tokens), ("max_tokens", 4))
    with client.messages.stream(**ask("tokens=2 stop=refusal")) as stream:
        message = stream.get_final_message()
    equal((message.stop_reason, message.stop_details.type), ("refusal", "refusal"))


@check
def counts_what_is_cached():
    system = [{"type": "text", "text": f"Be brief. {time.time_ns()} " * 40}]
    marked = ask("tokens=3 rate=0", system=system, cache_control={"type": "ephemeral"})
    first = client.messages.create(**marked).usage
    assert first.cache_creation_input_tokens > 100 and first.cache_read_input_tokens == 0, first
    second = client.messages.create(**marked).usage
    assert second.cache_read_input_tokens > 100 and second.cache_creation_input_tokens == 0, second


@check
def counts_tokens():
    count = client.messages.count_tokens(model=MODEL, messages=user("word " * 400)).input_tokens
    assert 400 <= count <= 600, count


@check
def lists_models():
    models = list(client.models.list(limit=2))
    assert len(models) > 2, "one page only"
    equal(len({model.id for model in models}), len(models))
    for model in models:
        equal((model.type, model.lifecycle), ("model", "active"))
        assert model.display_name and model.max_input_tokens > model.max_tokens > 0, model
        assert model.capabilities.thinking.types.adaptive.supported is not None, model
    equal(client.models.retrieve(MODEL).id, MODEL)
    refused(anthropic.NotFoundError, lambda: client.models.retrieve("claude-none"), status=404)


@check
def takes_what_the_real_api_takes():
    client.messages.create(
        **ask("tokens=2 rate=0", stop_sequences=["x"], metadata={"user_id": "u"}),
        extra_body={"something_new": {"a": 1}},
    )
    # What API version 2026-10-21 took away, the one before it still takes.
    before = {"anthropic-version": "2023-06-01"}
    client.messages.create(**ask("tokens=2 rate=0"), extra_body={"temperature": 0.5}, extra_headers=before)
    blocks = [{"type": "text", "text": "Hello.\n/sim tokens=2 rate=0", "cache_control": {"type": "ephemeral"}}]
    client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": blocks}])
    prefilled = [*user("Hello.\n/sim tokens=2 rate=0 prefill"), {"role": "assistant", "content": "So"}]
    client.messages.create(model=MODEL, max_tokens=9, messages=prefilled)


@check
def refuses_without_a_key():
    nothing = {"x-api-key": Omit(), "authorization": Omit()}
    refused(
        anthropic.AuthenticationError,
        lambda: client.messages.create(**ask("tokens=1"), extra_headers=nothing),
        status=401,
        type="authentication_error",
        words="x-api-key header is required",
    )
    wrong = Anthropic(base_url=BASE_URL, api_key="invalid", max_retries=0)
    refused(anthropic.AuthenticationError, lambda: wrong.models.list(), status=401, words="invalid x-api-key")


@check
def refuses_without_a_version():
    refused(
        anthropic.BadRequestError,
        lambda: client.messages.create(**ask("tokens=1"), extra_headers={"anthropic-version": Omit()}),
        status=400,
        type="invalid_request_error",
        words="anthropic-version: header is required",
    )


@check
def refuses_bad_requests():
    def bad(words, **change):
        body = {key: value for key, value in {**ask("tokens=1"), **change}.items() if value is not None}
        call = lambda: client.post("/v1/messages", body=body, cast_to=object)
        refused(anthropic.BadRequestError, call, status=400, type="invalid_request_error", words=words)

    bad("max_tokens: Field required", max_tokens=None)
    bad("messages: Field required", messages=None)
    bad("max_tokens", max_tokens=0)
    bad("temperature: Extra inputs are not permitted", temperature=0.5)
    bad("text content blocks must be non-empty", messages=user([{"type": "text", "text": ""}]))
    bad('first message must use the "user" role', messages=[{"role": "assistant", "content": "Hi"}])
    bad("assistant message prefill", messages=[*user("Hi"), {"role": "assistant", "content": "So"}])
    bad("prompt is too long", messages=user("word " * 900_000))


@check
def refuses_an_unknown_model():
    call = lambda: client.messages.create(**{**ask("tokens=1"), "model": "claude-none"})
    refused(anthropic.NotFoundError, call, status=404, type="not_found_error", words="claude-none")


@check
def refuses_as_scripted():
    kinds = {
        403: (anthropic.PermissionDeniedError, "permission_error"),
        413: (anthropic.ContentTooLargeError, "request_too_large"),
        429: (anthropic.RateLimitError, "rate_limit_error"),
        500: (anthropic.InternalServerError, "api_error"),
        529: (anthropic.OverloadedError, "overloaded_error"),
    }
    for status, (kind, type) in kinds.items():
        call = lambda: client.messages.create(**ask(f"status={status} retry-after=7"), stream=True)
        error = refused(kind, call, status=status, type=type)
        equal(error.response.headers["retry-after"], "7")
    # The header goes before the message.
    call = lambda: client.messages.create(**ask("tokens=1"), extra_headers={"x-sim": "status=429"})
    refused(anthropic.RateLimitError, call, status=429)


@check
def retries_until_it_works():
    patient = client.with_options(max_retries=2)
    message = patient.messages.create(**ask(f"status=529 retry-after=0 times=2 tokens=3 rate=0 seed={time.time_ns()}"))
    equal(message.usage.output_tokens, 3)


@check
def breaks_in_mid_stream():
    def read(script):
        texts = []
        try:
            with client.messages.create(**ask(script), stream=True) as stream:
                for event in stream:
                    if event.type == "content_block_delta":
                        texts.append(event.delta.text)
        except Exception as error:  # noqa: BLE001 - its class is what is checked
            return len(texts), error
        return len(texts), None

    for fault, type in [("overloaded", "overloaded_error"), ("error", "api_error")]:
        texts, error = read(f"tokens=9 rate=0 fault={fault}@4")
        assert isinstance(error, anthropic.APIStatusError), repr(error)
        equal((texts, error.type), (4, type))
    texts, error = read("tokens=9 rate=0 fault=reset@4")
    assert error is not None and texts == 4, (texts, error)
    equal(read("tokens=9 rate=0 fault=truncate@4"), (4, None))
    texts, error = read("tokens=9 rate=0 fault=garbage@4")
    assert isinstance(error, ValueError) and texts == 4, (texts, error)


@check
def falls_silent():
    hasty = client.with_options(timeout=0.5)
    try:
        with hasty.messages.create(**ask("tokens=9 rate=0 fault=stall@4"), stream=True) as stream:
            for _ in stream:
                pass
    except Exception as error:  # noqa: BLE001
        assert "Timeout" in error.__class__.__name__, repr(error)
        return
    raise AssertionError("it went on")


failed = 0
for function in checks:
    name = function.__name__.replace("_", " ")
    try:
        function()
        print(f"ok      {name}")
    except Exception as error:  # noqa: BLE001 - one failure must not hide the others
        failed += 1
        print(f"FAILED  {name}: {error.__class__.__name__}: {error}")
print(f"{len(checks) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
