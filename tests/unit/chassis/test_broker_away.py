"""A broker that goes away under a client: nobody waits for ever, and nobody is cancelled by what the client cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from chassis import kafka
from chassis.errors import ended_with

PARTITION = TopicPartition("t", 0)


class Client:
    """A consumer of three records, as far as it is asked here."""

    _coordinator = _fetcher = None

    def __init__(self, given: int) -> None:
        self._given, self._at, self.closed = given, 0, False
        self._client = self

    async def position(self, _: TopicPartition) -> int:
        return self._at

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[int]]:
        await asyncio.sleep(0.001)
        if self._at == self._given:
            return {}
        self._at += 1
        return {PARTITION: [self._at]}

    async def stop(self) -> None:
        # What the library does with a fetch that waits for a broker that is away.
        waiting = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        waiting.cancel()
        await waiting

    async def close(self) -> None:
        self.closed = True


async def read(client: Client, end: int) -> list[Sequence[int]]:
    return [each async for each in kafka.read_to(client, {PARTITION: end})]


async def test_a_client_whose_stop_is_cancelled_from_within_cancels_nobody_and_is_closed() -> None:
    client = Client(3)
    with pytest.raises(asyncio.CancelledError):
        await client.stop()
    await kafka.leave("test", client)
    assert client.closed


async def test_records_are_read_to_the_end_that_was_asked_for() -> None:
    assert await read(Client(3), 2) == [[1], [2]]


async def test_a_broker_that_has_more_and_gives_nothing_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "QUIET_SECONDS", 0.05)
    with pytest.raises(KafkaConnectionError):
        await read(Client(2), 3)


async def test_a_task_that_was_cancelled_by_nobody_has_failed() -> None:
    async def within() -> None:
        raise asyncio.CancelledError

    async def fault() -> None:
        raise ValueError("planted")

    ended = {each.__name__: asyncio.create_task(each()) for each in (within, fault)}
    asked = asyncio.create_task(asyncio.sleep(60))
    asked.cancel()
    await asyncio.wait([*ended.values(), asked])
    assert ended_with(asked, "it") is None
    assert str(ended_with(ended["within"], "it")) == "it was cancelled from within"
    assert str(ended_with(ended["fault"], "it")) == "planted"
