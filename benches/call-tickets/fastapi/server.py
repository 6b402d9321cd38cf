"""The webhook in FastAPI: signature over the raw body, five minutes' tolerance, a pydantic model, and the event durable
in SQLite before the 200, one row for each conversation. Nothing is done with the events afterwards.

It is written for speed as far as its form allows: uvloop and httptools (uvicorn's `standard`), SQLite with a log and
prepared statements on a thread, so that the event loop does not wait for the disk.
"""

import hashlib
import hmac
import os
import sqlite3
import threading
import time
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ValidationError

SECRET = os.environ["ELEVENLABS_WEBHOOK_SECRET"].encode()
TOLERANCE_SECONDS = 300


class Event(BaseModel):
    type: str
    event_timestamp: int
    data: dict[str, Any]


class Store:
    """One connection for each process; writers of other processes are waited for."""

    def __init__(self, path: str) -> None:
        self.lock = threading.Lock()
        self.connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY, put REAL NOT NULL, body BLOB NOT NULL)")

    def put(self, key: str, body: bytes) -> bool:
        with self.lock:
            written = self.connection.execute(
                "INSERT INTO events (key, put, body) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING", (key, time.time(), body)
            )
            return written.rowcount == 1


store = Store(os.environ["EVENTS"])
app = FastAPI()


def verify(header: str | None, body: bytes) -> None:
    try:
        parts = dict(part.split("=", 1) for part in (header or "").split(","))
        signed_at, signature = int(parts["t"]), parts["v0"]
    except (KeyError, ValueError):
        raise HTTPException(401, "the signature is missing or malformed") from None
    if abs(time.time() - signed_at) > TOLERANCE_SECONDS:
        raise HTTPException(401, "the signature is too old")
    expected = hmac.new(SECRET, f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise HTTPException(401, "the signature does not match")


@app.post("/elevenlabs/webhook")
async def webhook(request: Request) -> dict[str, str]:
    body = await request.body()
    verify(request.headers.get("elevenlabs-signature"), body)
    try:
        event = Event.model_validate_json(body)
    except ValidationError:
        raise HTTPException(400, "the body is no event") from None
    new = await run_in_threadpool(store.put, f"{event.type}:{event.data.get('conversation_id')}", body)
    return {"status": "accepted" if new else "duplicate"}


@app.get("/elevenlabs/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}
