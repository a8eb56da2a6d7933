"""Killed servers: what acknowledged means.

Invariant: what was acknowledged with majority and journal is there after SIGKILL, whatever was under way.
"""

from __future__ import annotations

import asyncio

from chassis.mongo import Collection, PyMongoError
from deploy.local.engines import Engines

KILLS = 3
BATCH = 64
BATCHES_BEFORE_KILL = 25


async def test_documents_acknowledged_under_group_commit_survive_three_kills(
    killable: Engines, collection: Collection
) -> None:
    acknowledged: set[str] = set()
    for kill in range(KILLS):
        batches = 0
        enough = asyncio.Event()
        stop = asyncio.Event()

        async def write(
            writer: int, kill: int = kill, enough: asyncio.Event = enough, stop: asyncio.Event = stop
        ) -> None:
            nonlocal batches
            number = 0
            while not stop.is_set():
                documents = [{"_id": f"{kill}-{writer}-{number}-{n}", "filler": "x" * 500} for n in range(BATCH)]
                number += 1
                try:
                    await collection.insert_many(documents, ordered=False)
                except PyMongoError:
                    # Not acknowledged: it may be there or not.
                    return
                acknowledged.update(document["_id"] for document in documents)
                batches += 1
                if batches >= BATCHES_BEFORE_KILL:
                    enough.set()

        writers = [asyncio.create_task(write(writer)) for writer in range(2)]
        await asyncio.wait_for(enough.wait(), 30)
        await killable.kill_documents()
        stop.set()
        await killable.restart_documents()
        await asyncio.gather(*writers)
        stored = {each["_id"] async for each in collection.find({}, {"_id": 1})}
        assert acknowledged - stored == set()
    assert len(acknowledged) >= KILLS * BATCHES_BEFORE_KILL * BATCH


async def test_unique_and_partial_indexes_hold_after_a_kill(killable: Engines, collection: Collection) -> None:
    await collection.create_index([("claims", 1)], name="claims", unique=True)
    await collection.insert_one({"_id": "a", "claims": ["slot:1@00000001"]})
    await killable.kill_documents()
    await killable.restart_documents()
    assert (await collection.index_information())["claims"]["unique"] is True
    try:
        await collection.insert_one({"_id": "b", "claims": ["slot:1@00000001"]})
    except PyMongoError:
        assert await collection.count_documents({}) == 1
    else:
        raise AssertionError("the second claim was stored")
