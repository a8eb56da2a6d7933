"""Group commit: one task per process sends what waits in one insert.

Invariant: each commit gets its own verdict, and "stored" is said only of what is stored with majority and journal;
where an answer is lost, the log itself is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any

from bson.raw_bson import RawBSONDocument

from chassis import metrics
from chassis.errors import LogBusy, LogUnavailable
from chassis.mongo import BulkWriteError, Collection, PyMongoError, causally

MAX_BATCH = 256
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_WAITING = 2000
DUPLICATE_KEY = 11000
PAUSE_SECONDS = 0.05


class Verdict(Enum):
    STORED = "stored"
    CONFLICT = "conflict"


@dataclass(eq=False)
class _Waiting:
    id: str
    document: RawBSONDocument
    size: int
    verdict: asyncio.Future[Verdict]
    deadline: float | None = None


class GroupWriter:
    """Writes documents with unique claims; `write` gives the verdict on one of them."""

    def __init__(
        self, name: str, commits: Collection, timeout_seconds: float, fatal: Callable[[BaseException], None]
    ) -> None:
        self._name = name
        self._commits = commits
        self._timeout = timeout_seconds
        self._fatal = fatal
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._held: _Waiting | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the writer task; its death is the process's."""
        self._task = asyncio.create_task(self._run(), name="group-writer")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Store what waits, then stop."""
        self._stopped = True
        if self._task is not None:
            await self._queue.put(None)
            await self._task
            self._task = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(error)

    async def write(self, id_: str, encoded: bytes, deadline: float | None = None) -> Verdict:
        """Store a document, given as BSON so that it is encoded once. Raises LogBusy, LogUnavailable.

        Nothing is sent after `deadline` (monotonic): whoever waits is told that it is not known.
        """
        if self._stopped:
            # Nobody takes anything from the queue any more: it would wait for ever.
            raise LogUnavailable("the log is stopped")
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(id_, RawBSONDocument(encoded), len(encoded), verdict, deadline)
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull as error:
            raise LogBusy(f"{MAX_WAITING} commands wait") from error
        return await waiting.verdict

    async def _run(self) -> None:
        while (batch := await self._next_batch()) is not None:
            if batch:
                metrics.BATCH_SIZE.labels(self._name).observe(len(batch))
                await self._store(batch)

    async def _next_batch(self) -> list[_Waiting] | None:
        first = self._held or await self._queue.get()
        self._held = None
        if first is None:
            return None
        batch, size = [first], first.size
        while len(batch) < MAX_BATCH and not self._queue.empty():
            following = self._queue.get_nowait()
            if following is None:
                self._queue.put_nowait(None)
                break
            if size + following.size > MAX_BATCH_BYTES:
                self._held = following
                break
            batch.append(following)
            size += following.size
        # A client that went away has cancelled its future; what it asked for was not begun, so it is left out.
        return [waiting for waiting in batch if not waiting.verdict.done()]

    async def _store(self, batch: list[_Waiting]) -> None:
        deadline = monotonic() + self._timeout
        while batch := _in_time(batch):
            unknown = await self._insert(batch)
            if unknown and monotonic() > deadline:
                for waiting in unknown:
                    _fail(waiting, LogUnavailable("the database did not answer in time"))
                return
            if unknown:
                await asyncio.sleep(PAUSE_SECONDS)
                unknown = await self._not_stored(unknown)
            # Absent means: send the same document again. Its id and claims make that harmless.
            batch = unknown

    async def _insert(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Returns those whose verdict is unknown."""
        try:
            async with causally(self._commits) as session:
                documents = [waiting.document for waiting in batch]
                await self._commits.insert_many(documents, ordered=False, session=session)
        except BulkWriteError as error:
            details: dict[str, Any] = dict(error.details or {})
            if details.get("writeConcernErrors"):
                return batch
            refused = {each["index"]: each for each in details.get("writeErrors", ())}
            unknown = []
            for index, waiting in enumerate(batch):
                if index not in refused:
                    _tell(waiting, Verdict.STORED)
                elif refused[index].get("code") != DUPLICATE_KEY or not await self._judge(waiting):
                    unknown.append(waiting)
            return unknown
        except PyMongoError:
            return batch
        for waiting in batch:
            _tell(waiting, Verdict.STORED)
        return []

    async def _judge(self, waiting: _Waiting) -> bool:
        """A duplicate: somebody else's claim, or the own document from a try whose answer was lost."""
        try:
            _tell(waiting, Verdict.STORED if await self._own(waiting) else Verdict.CONFLICT)
        except PyMongoError:
            return False
        return True

    async def _own(self, waiting: _Waiting) -> bool:
        async with causally(self._commits) as session:
            return await self._commits.find_one({"_id": waiting.id}, {"_id": 1}, session=session) is not None

    async def _not_stored(self, unknown: Sequence[_Waiting]) -> list[_Waiting]:
        ids = [waiting.id for waiting in unknown]
        try:
            async with causally(self._commits) as session:
                found = self._commits.find({"_id": {"$in": ids}}, {"_id": 1}, session=session)
                stored = {each["_id"] async for each in found}
        except PyMongoError:
            return list(unknown)
        for waiting in unknown:
            if waiting.id in stored:
                _tell(waiting, Verdict.STORED)
        return [waiting for waiting in unknown if waiting.id not in stored]


def _in_time(batch: list[_Waiting]) -> list[_Waiting]:
    """Those that may still be sent. A process that was stopped in between must not send what it meant to, long ago."""
    now = monotonic()
    late = [waiting for waiting in batch if waiting.deadline is not None and now > waiting.deadline]
    for waiting in late:
        _fail(waiting, LogUnavailable("the command has been on its way for too long"))
    return [waiting for waiting in batch if waiting not in late] if late else batch


def _tell(waiting: _Waiting, verdict: Verdict) -> None:
    # The client may have hung up meanwhile: its future is done, and setting it would end the writer for everybody.
    if not waiting.verdict.done():
        waiting.verdict.set_result(verdict)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.verdict.done():
        waiting.verdict.set_exception(error)
