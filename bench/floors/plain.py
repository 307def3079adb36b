"""Floors on the standard library's ``sqlite3``: a commit a request, and one for all that waits."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading

from bench.floors.message import Message
from bench.floors.tables import PRAGMAS

LARGEST_BATCH = 256
_FIND = """
SELECT contacts.id, threads.id FROM contacts JOIN threads ON threads.contact_id = contacts.id
WHERE phone = ?"""
_CONTACT = "INSERT INTO contacts (phone, created_at) VALUES (?, ?)"
_THREAD = "INSERT INTO threads (contact_id, sort_at, unread, preview) VALUES (?, ?, 0, '')"
_MESSAGE = """
INSERT INTO messages (thread_id, sid, body, raw, created_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (sid) DO NOTHING"""
_BUMP = """
UPDATE threads SET sort_at = max(sort_at, ?), unread = unread + 1, preview = ? WHERE id = ?"""
_EVENT = "INSERT INTO journal (data, created_at) VALUES (?, ?)"


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def _store(connection: sqlite3.Connection, message: Message) -> None:
    execute = connection.execute
    found = execute(_FIND, (message.phone,)).fetchone()
    if found is None:
        contact = execute(_CONTACT, (message.phone, message.at)).lastrowid
        thread = execute(_THREAD, (contact, message.at)).lastrowid
    else:
        thread = found[1]
    inserted = execute(_MESSAGE, (thread, message.sid, message.body, message.raw, message.at))
    if not inserted.rowcount:
        return
    execute(_BUMP, (message.at, message.preview, thread))
    event = message.event(thread or 0, inserted.lastrowid or 0)
    execute(_EVENT, (event, message.at))


class CommitEach:
    """A transaction for each message, on the serving thread."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def start(self) -> None:
        """Open the file."""
        self._connection = _connect(self._path)

    async def put(self, message: Message) -> None:
        """Return once it is committed."""
        self._connection.execute("BEGIN IMMEDIATE")
        _store(self._connection, message)
        self._connection.execute("COMMIT")


class GroupCommit:
    """A thread that commits together whatever waits."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[tuple[Message, asyncio.Future[None]]]
        self._waiting = queue.SimpleQueue()

    async def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    async def put(self, message: Message) -> None:
        """Return once it is committed."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put((message, done))
        await done

    def _run(self) -> None:
        connection = _connect(self._path)
        while True:
            batch = [self._waiting.get()]
            while len(batch) < LARGEST_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            connection.execute("BEGIN IMMEDIATE")
            for message, _ in batch:
                _store(connection, message)
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, [done for _, done in batch])


def _resolve(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
