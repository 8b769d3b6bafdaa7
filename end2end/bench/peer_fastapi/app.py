"""The usual chat backend in Python, to compare with: FastAPI on uvicorn, boto3, Anthropic's SDK.

It streams the reply as server-sent events, and stores the question before it and the answer after it. Unlike Outlast it
stores nothing while a reply is under way, and loses a reply whose reader leaves.
"""

import asyncio
import json
import os
import time
import uuid

import boto3
from anthropic import AsyncAnthropic
from boto3.dynamodb.conditions import Key
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel

app = FastAPI()
templates = Jinja2Templates(directory=os.path.join(os.path.dirname(__file__), "templates"))
claude = AsyncAnthropic()
table = boto3.resource("dynamodb").Table(os.environ["PEER_TABLE"])


class Question(BaseModel):
    session_id: str
    text: str


def store(session_id: str, role: str, text: str) -> None:
    key = {"pk": f"SESSION#{session_id}", "sk": f"MSG#{time.time_ns()}#{uuid.uuid4()}"}
    table.put_item(Item={**key, "role": role, "text": text})


def history(session_id: str) -> list[dict]:
    found = table.query(KeyConditionExpression=Key("pk").eq(f"SESSION#{session_id}"), ConsistentRead=True)
    return [{"role": item["role"], "content": item["text"]} for item in found["Items"]]


@app.post("/chat")
async def chat(question: Question) -> StreamingResponse:
    # boto3 blocks, so it goes to threads.
    await asyncio.to_thread(store, question.session_id, "user", question.text)
    messages = await asyncio.to_thread(history, question.session_id)

    async def events():
        reply = []
        request = {"model": "claude-sonnet-5-5", "max_tokens": 32000, "messages": messages}
        async with claude.messages.stream(**request) as stream:
            async for text in stream.text_stream:
                reply.append(text)
                yield f"event: text\ndata: {json.dumps({'text': text})}\n\n"
        await asyncio.to_thread(store, question.session_id, "assistant", "".join(reply))
        yield f"event: end\ndata: {json.dumps({'outcome': 'complete'})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/")
def page(request: Request, session_id: str) -> HTMLResponse:
    return templates.TemplateResponse(request, "page.html", {"messages": history(session_id)})
