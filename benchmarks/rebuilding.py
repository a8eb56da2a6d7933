"""`python -m benchmarks.rebuilding KIND …`: one contestant of `rebuild`, in a process of its own; prints one JSON line.

Invariant: each reads the same topics from their beginning to the ends that they had when it began.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream.kafka import KafkaBroker, KafkaMessage

from benchmarks.harness import Stopwatch, logs_to_stderr
from chassis import mongo
from chassis.bulk import few_collections
from chassis.handled import MAX_RECORDS
from chassis.kafka import client_options
from chassis.projection import fold_one
from chassis.reading import read_batch
from chassis.rebuild import Rebuild
from chassis.settings import Settings
from deploy.cli.worker import peak_memory
from deploy.cli.workers import Workers
from services.reporting.views import placement

SERVICE = "reporting"


async def _assigned(settings: Settings) -> tuple[AIOKafkaConsumer, Mapping[TopicPartition, int]]:
    consumer = AIOKafkaConsumer(
        **client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=MAX_RECORDS
    )
    await consumer.start()
    partitions = [
        TopicPartition(settings.topic(topic), number)
        for topic in placement.topics
        for number in range(settings.partitions)
    ]
    consumer.assign(partitions)
    ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    return consumer, ends


async def raw(settings: Settings, _: str) -> Mapping[str, Any]:
    """The client alone, tuned: batches and a garbage collector that looks seldom; nothing is decoded."""
    consumer, ends = await _assigned(settings)
    left = sum(ends.values())
    events, watch = left, Stopwatch()
    with few_collections():
        while left > 0:
            for records in (await consumer.getmany(timeout_ms=200, max_records=MAX_RECORDS)).values():
                left -= len(records)
    seconds = watch.seconds
    await consumer.stop()
    return {"events": events, "seconds": seconds}


async def rebuild(settings: Settings, workers: str) -> Mapping[str, Any]:
    """`dugnad rebuild reporting/placement --workers N`, from its beginning until it is served; 0 leaves N to it."""
    client = mongo.connect(settings)
    database = mongo.database(client, settings.database(SERVICE))
    building = Rebuild(placement, database, settings, SERVICE)
    target = f"{SERVICE}/{placement.name}"
    hands = Workers(target, int(workers) or None, building.fold_in_bulk)
    totals = [0]
    watch = Stopwatch()
    built = await building.run(lambda headway: totals.append(headway.total), hands=hands)
    seconds = watch.seconds
    documents = await database[f"view_{built.name}"].estimated_document_count()
    before = await building.generations.previous()
    if before is not None:
        await building.generations.drop(before)
    client.close()
    peaks = [*hands.peaks, peak_memory()]
    return {"events": totals[-1], "seconds": seconds, "documents": documents, "peaks": peaks}


async def naive(settings: Settings, events: str) -> Mapping[str, Any]:
    """What a first version looks like: a handler per message, one load and one upsert per event."""
    client = mongo.connect(settings)
    documents = mongo.database(client, settings.database("naive"))["placement"]
    broker = KafkaBroker(settings.kafka_bootstrap_servers, logger=None)
    enough, done = asyncio.Event(), 0

    @broker.subscriber(
        *(settings.topic(topic) for topic in placement.topics), group_id="naive", auto_offset_reset="earliest"
    )
    async def handle(message: KafkaMessage) -> None:
        nonlocal done
        raw_message: Any = message.raw_message
        for arrival in read_batch([raw_message], placement.reads).arrivals:
            for key in placement.keys(arrival.record):
                before = await documents.find_one({"_id": key})
                after = fold_one(placement, key, before, arrival.record)
                await documents.replace_one({"_id": key}, after, upsert=True)
        done += 1
        if done >= int(events):
            enough.set()

    watch = Stopwatch()
    await broker.start()
    await enough.wait()
    seconds = watch.seconds
    await broker.stop()
    client.close()
    return {"events": done, "seconds": seconds}


KINDS: Mapping[str, Callable[[Settings, str], Coroutine[Any, Any, Mapping[str, Any]]]] = {
    "raw": raw,
    "rebuild": rebuild,
    "naive": naive,
}


async def contend(variables: Mapping[str, str], kind: str, argument: str = "") -> dict[str, Any]:
    """Run one in a process of its own. Raises RuntimeError with what it said where it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.rebuilding", kind, argument, env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{kind} ended with {process.returncode}: {err.decode()[-2_000:]}")
    found: dict[str, Any] = json.loads(out)
    return found


if __name__ == "__main__":
    logs_to_stderr()
    print(json.dumps(asyncio.run(KINDS[sys.argv[1]](Settings(), sys.argv[2]))))
