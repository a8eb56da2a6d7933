"""A subscriber as a process of its own, run until it has read everything.

Invariant: it is stopped when its group has committed the end of every partition, never after a time.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from chassis.settings import Settings
from tests.service.platform_helpers import until

READING_SECONDS = 60.0
STOPPING_SECONDS = 20.0


async def read_all(
    settings: Settings,
    command: Sequence[str | Path],
    *,
    group: str,
    topics: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
) -> list[str]:
    """Run a command until `group` has read the topics to their ends; the lines that it said on its standard output."""
    async with _started(settings, command, folder, environ) as process:
        try:
            await _until_read(settings, group, topics, process)
        except AssertionError as error:
            error.add_note((folder / "stderr").read_text("utf-8"))
            raise
        process.terminate()
        async with asyncio.timeout(STOPPING_SECONDS):
            await process.wait()
    return (folder / "stdout").read_text("utf-8").splitlines()


@asynccontextmanager
async def _started(
    settings: Settings, command: Sequence[str | Path], folder: Path, environ: Mapping[str, str]
) -> AsyncIterator[Process]:
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = await create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=DEVNULL,
            stdout=out,
            stderr=err,
            env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers, **environ},
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _until_read(settings: Settings, group: str, topics: Sequence[str], process: Process) -> None:
    ends = await _ends(settings, topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()

    async def is_read() -> bool:
        assert process.returncode is None, f"ended with {process.returncode}"
        try:
            committed = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            # The first group of a broker's life: the topic of offsets is being made.
            return False
        return all(each in committed and committed[each].offset >= end for each, end in ends.items())

    try:
        await until(is_read, f"{group} at the ends of {', '.join(topics)}", READING_SECONDS)
    finally:
        await admin.close()


async def _ends(settings: Settings, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """Where the partitions end that have records."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers) as consumer:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)]
        ends = await consumer.end_offsets(partitions)
    return {each: end for each, end in ends.items() if end > 0}
