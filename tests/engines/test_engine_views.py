"""View and progress documents: what `chassis/projection.py`, its runner and `progress.py` ask of the document server.

Invariant: a replacement is written only over the revision that was read; who lost is told by id, the others are stored.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import ASCENDING, DESCENDING, ReplaceOne

from chassis.mongo import BulkWriteError, Collection
from chassis.revisions import write_or_lose


def replacement(name: str, read: int, **fields: Any) -> ReplaceOne[dict[str, Any]]:
    """The write of a document whose revision was `read` (0: it was not there)."""
    return ReplaceOne({"_id": name, "rev": read}, {"_id": name, "rev": read + 1, **fields}, upsert=True)


async def test_one_unordered_bulk_inserts_replaces_and_tells_who_lost(collection: Collection) -> None:
    await collection.insert_many([{"_id": "old", "rev": 3, "x": 1}, {"_id": "moved on", "rev": 8, "x": 1}])
    writes = [
        replacement("moved on", 7, x=2),
        replacement("old", 3, x=2),
        replacement("new", 0, x=2),
        replacement("moved on", 6, x=2),
    ]
    with pytest.raises(BulkWriteError) as refused:
        await collection.bulk_write(writes, ordered=False)
    details = refused.value.details
    assert {each["index"]: each["code"] for each in details["writeErrors"]} == {0: 11000, 3: 11000}
    assert [each["op"]["q"]["_id"] for each in details["writeErrors"]] == ["moved on", "moved on"]
    assert {each["keyPattern"] == {"_id": 1} for each in details["writeErrors"]} == {True}
    assert (details["nUpserted"], details["nMatched"]) == (1, 1)
    stored = {each["_id"]: (each["rev"], each["x"]) async for each in collection.find({})}
    assert stored == {"old": (4, 2), "new": (1, 2), "moved on": (8, 1)}


async def test_writers_that_race_lose_no_write_when_they_read_again(collection: Collection) -> None:
    async def add(writer: int) -> None:
        for n in range(10):
            while True:
                stored = await collection.find_one({"_id": "shared"}) or {"rev": 0, "folded": []}
                write = replacement("shared", stored["rev"], folded=[*stored["folded"], f"{writer}-{n}"])
                if not await write_or_lose(collection, [write]):
                    break

    await asyncio.gather(*(add(writer) for writer in range(5)))
    document = await collection.find_one({"_id": "shared"})
    assert document is not None
    assert sorted(document["folded"]) == sorted(f"{writer}-{n}" for writer in range(5) for n in range(10))
    assert document["rev"] == 50


async def test_a_bulk_of_a_thousand_replacements_is_stored_whole(collection: Collection) -> None:
    assert await write_or_lose(collection, [replacement(f"d{n}", 0, n=n) for n in range(1000)]) == []
    assert await write_or_lose(collection, [replacement(f"d{n}", 1, n=-n) for n in range(1000)]) == []
    documents = [each async for each in collection.find({"rev": 2})]
    assert sorted(each["n"] for each in documents) == sorted(-n for n in range(1000))


async def test_an_ordered_bulk_keeps_its_order(collection: Collection) -> None:
    await collection.bulk_write([replacement("a", n, n=n) for n in range(20)], ordered=True)
    document = await collection.find_one({"_id": "a"})
    assert document is not None
    assert (document["rev"], document["n"]) == (20, 19)


async def test_values_come_back_as_they_were_stored(collection: Collection) -> None:
    document = {
        "_id": "a",
        "at": {"dugnad/intake need:01J": 2**40, "dugnad/matching match:01J": 1},
        "instant": datetime(2025, 3, 30, 1, 30, 0, 999000, UTC),
        "bytes": bytes(range(256)),
        "text": "Grønn plass – æøå 🌱",
        "share": 10.9,
        "none": None,
        "list": [[], {}, [1, "a", None]],
        "big": 2**62,
    }
    await collection.insert_one(document)
    stored = await collection.find_one({"_id": "a"})
    assert stored is not None
    assert {**stored, "bytes": bytes(stored["bytes"])} == document
    assert list(stored) == list(document)
    assert stored["instant"].tzinfo is not None


async def test_tombstones_are_left_out_by_a_query(collection: Collection) -> None:
    await collection.insert_many([{"_id": "a", "x": 1}, {"_id": "b", "x": 1, "gone": True}, {"_id": "c", "x": 2}])
    assert [each["_id"] async for each in collection.find({"x": 1, "gone": {"$ne": True}})] == ["a"]
    assert [each["_id"] async for each in collection.find({"x": 1, "gone": {"$exists": False}})] == ["a"]


async def test_a_list_is_cut_into_pages_by_a_fixed_order_with_the_id_as_tie_break(collection: Collection) -> None:
    await collection.create_index([("score", DESCENDING), ("_id", ASCENDING)])
    await collection.insert_many([{"_id": f"d{n:02d}", "score": n % 3} for n in range(20)])
    seen: list[tuple[int, str]] = []
    after: dict[str, Any] = {}
    while page := await collection.find(after).sort([("score", DESCENDING), ("_id", ASCENDING)]).limit(7).to_list(7):
        seen += [(each["score"], each["_id"]) for each in page]
        score, last = seen[-1]
        after = {"$or": [{"score": {"$lt": score}}, {"score": score, "_id": {"$gt": last}}]}
    assert seen == sorted(((n % 3, f"d{n:02d}") for n in range(20)), key=lambda each: (-each[0], each[1]))


async def test_nested_fields_lists_and_ranges_are_matched_exactly(collection: Collection) -> None:
    await collection.insert_many(
        [
            {"_id": "a", "need": {"on": "2025-01-13", "tags": ["x", "y"]}},
            {"_id": "b", "need": {"on": "2025-02-03", "tags": ["y"]}},
            {"_id": "c", "need": None},
        ]
    )

    async def ids(query: dict[str, Any]) -> list[str]:
        return [each["_id"] async for each in collection.find(query).sort("_id", ASCENDING)]

    assert await ids({"need.on": {"$gte": "2025-01-13", "$lt": "2025-02-03"}}) == ["a"]
    assert await ids({"need.tags": "y"}) == ["a", "b"]
    assert await ids({"need.tags": {"$in": ["x", "z"]}}) == ["a"]
    assert await ids({"need": None}) == ["c"]
    assert await ids({"_id": {"$in": ["a", "c", "d"]}}) == ["a", "c"]


async def test_a_document_that_is_inserted_once_stays_as_the_first_one_wrote_it(collection: Collection) -> None:
    update = {"$setOnInsert": {"key": b"first"}}
    await collection.update_one({"_id": "candidate"}, update, upsert=True)
    await collection.update_one({"_id": "candidate"}, {"$setOnInsert": {"key": b"second"}}, upsert=True)
    stored = await collection.find_one({"_id": "candidate"})
    assert stored is not None
    assert bytes(stored["key"]) == b"first"
