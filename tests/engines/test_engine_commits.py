"""What the commit log, the ledger and the relay ask of the document server.

Invariant: one unique index over an array refuses the second of two claims, and each document of a batch gets its own
verdict.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from pymongo import ASCENDING, DESCENDING, IndexModel

from chassis.mongo import BulkWriteError, Client, Collection, Database, DuplicateKeyError
from chassis.mongo import database as open_database

DUPLICATE_KEY = 11000


def commit(name: str, *claims: str) -> dict[str, Any]:
    """As much of a commit as the rules need."""
    return {"_id": name, "claims": [f"command:{name}", *claims], "n": 1, "pending": True}


@pytest.fixture
async def commits(collection: Collection) -> Collection:
    """A collection with the indexes of the commit log."""
    await collection.create_index([("claims", ASCENDING)], name="claims", unique=True)
    await collection.create_index([("pending", ASCENDING)], name="pending", partialFilterExpression={"pending": True})
    return collection


async def test_one_claim_in_common_refuses_the_second_commit_and_names_the_index(commits: Collection) -> None:
    await commits.insert_one(commit("a", "slot:1@00000001", "candidate:1@00000001"))
    with pytest.raises(DuplicateKeyError) as refused:
        await commits.insert_one(commit("b", "slot:2@00000001", "candidate:1@00000001"))
    assert refused.value.details is not None
    assert refused.value.details["keyPattern"] == {"claims": 1}
    await commits.insert_one(commit("c", "slot:2@00000001", "candidate:1@00000002"))
    assert sorted([each["_id"] async for each in commits.find({})]) == ["a", "c"]


async def test_the_loser_of_a_duplicate_id_learns_that_it_was_the_id(commits: Collection) -> None:
    await commits.insert_one(commit("a"))
    with pytest.raises(DuplicateKeyError) as refused:
        await commits.insert_one({**commit("b"), "_id": "a"})
    assert refused.value.details is not None
    assert refused.value.details["keyPattern"] == {"_id": 1}


async def test_an_unordered_batch_stores_what_it_can_and_gives_each_document_its_verdict(commits: Collection) -> None:
    await commits.insert_one(commit("first", "slot:1@00000001"))
    batch = [commit(f"c{n}", f"slot:{n}@00000001") for n in range(6)]
    batch[4]["claims"].append("slot:3@00000001")
    batch.append({**commit("again"), "_id": "c0"})
    with pytest.raises(BulkWriteError) as refused:
        await commits.insert_many(batch, ordered=False)
    errors = {each["index"]: each for each in refused.value.details["writeErrors"]}
    assert sorted(errors) == [1, 4, 6]
    assert {each["code"] for each in errors.values()} == {DUPLICATE_KEY}
    assert [errors[n]["keyPattern"] for n in (1, 4, 6)] == [{"claims": 1}, {"claims": 1}, {"_id": 1}]
    assert not refused.value.details["writeConcernErrors"]
    assert sorted([each["_id"] async for each in commits.find({})]) == ["c0", "c2", "c3", "c5", "first"]


async def test_an_ordered_batch_stops_at_its_first_duplicate(commits: Collection) -> None:
    await commits.insert_one(commit("first", "slot:1@00000001"))
    with pytest.raises(BulkWriteError) as refused:
        await commits.insert_many([commit(f"c{n}", f"slot:{n}@00000001") for n in range(4)], ordered=True)
    assert [each["index"] for each in refused.value.details["writeErrors"]] == [1]
    assert sorted([each["_id"] async for each in commits.find({})]) == ["c0", "first"]


async def test_of_writers_that_claim_the_same_at_once_one_wins_each_time(commits: Collection) -> None:
    async def claim(writer: int, version: int) -> bool:
        batch = [commit(f"{writer}-{version}-{n}", f"subject:{n}@{version:08d}") for n in range(4)]
        try:
            await commits.insert_many(batch, ordered=False)
        except BulkWriteError as error:
            return len(error.details["writeErrors"]) < len(batch)
        return True

    for version in range(1, 11):
        await asyncio.gather(*(claim(writer, version) for writer in range(8)))
    stored = [each async for each in commits.find({})]
    claimed = sorted(claim for each in stored for claim in each["claims"] if claim.startswith("subject:"))
    assert claimed == sorted(f"subject:{n}@{version:08d}" for n in range(4) for version in range(1, 11))


async def test_a_range_over_the_claims_finds_the_commits_of_one_subject_and_no_others(commits: Collection) -> None:
    await commits.insert_many(
        [
            commit("x1", "slot:X@00000001"),
            commit("between", "slot:A@00000001", "slot:Z@00000001"),
            commit("x2", "candidate:9@00000001", "slot:X@00000002"),
            commit("longer name", "slot:XY@00000001"),
            commit("x3", "slot:W@00000001", "slot:X@00000003", "slot:Y@00000001"),
        ]
    )
    within = {"claims": {"$elemMatch": {"$gte": "slot:X@", "$lt": "slot:XA"}}}
    assert sorted([each["_id"] async for each in commits.find(within, {"claims": 1})]) == ["x1", "x2", "x3"]


async def test_a_commit_is_found_by_any_of_its_claims(commits: Collection) -> None:
    await commits.insert_many([commit("a", "org:1", "need:1@00000001"), commit("b", "org:2")])
    for claim, found in (("command:a", "a"), ("org:1", "a"), ("need:1@00000001", "a"), ("org:2", "b")):
        document = await commits.find_one({"claims": claim}, {"events": 0})
        assert document is not None
        assert document["_id"] == found
    assert await commits.find_one({"claims": "org:3"}) is None


async def test_what_is_pending_is_found_until_one_update_takes_it_from_many(commits: Collection) -> None:
    await commits.insert_many([commit(f"c{n:04d}") for n in range(1000)], ordered=False)
    numbered = [f"c{n:04d}" for n in range(0, 1000, 2)]
    result = await commits.update_many({"_id": {"$in": numbered}}, {"$unset": {"pending": ""}})
    assert result.matched_count == 500
    left = {each["_id"] async for each in commits.find({"pending": True}, {"claims": 1, "n": 1})}
    assert left == {f"c{n:04d}" for n in range(1, 1000, 2)}
    again = await commits.update_many({"_id": {"$in": numbered}}, {"$unset": {"pending": ""}})
    assert (again.matched_count, again.modified_count) == (500, 0)
    indexes = await commits.index_information()
    assert dict(indexes["pending"]["partialFilterExpression"]) == {"pending": True}


async def test_of_fifty_that_insert_the_same_page_one_moves_the_head(collection: Collection) -> None:
    await collection.create_index([("commits.id", ASCENDING)], name="commits", unique=True)
    await collection.insert_one({"_id": 1, "next": 4, "commits": [{"id": "a", "n": 2}, {"id": "b", "n": 1}]})

    async def number(relay: int) -> str:
        try:
            await collection.insert_one({"_id": 4, "next": 5, "commits": [{"id": f"c{relay}", "n": 1}]})
        except DuplicateKeyError as error:
            return str((error.details or {}).get("keyPattern"))
        return "won"

    outcomes = await asyncio.gather(*(number(relay) for relay in range(50)))
    assert Counter(outcomes) == {"won": 1, str({"_id": 1}): 49}
    head = await collection.find({}).sort("_id", DESCENDING).limit(1).to_list(1)
    assert [page["_id"] for page in head] == [4]


async def test_a_commit_stands_on_one_page_of_the_ledger_only(collection: Collection) -> None:
    await collection.create_index([("commits.id", ASCENDING)], name="commits", unique=True)
    await collection.insert_one({"_id": 1, "next": 3, "commits": [{"id": "a", "n": 1}, {"id": "b", "n": 1}]})
    with pytest.raises(DuplicateKeyError) as refused:
        await collection.insert_one({"_id": 3, "next": 5, "commits": [{"id": "c", "n": 1}, {"id": "b", "n": 1}]})
    assert refused.value.details is not None
    assert refused.value.details["keyPattern"] == {"commits.id": 1}
    page = await collection.find_one({"commits.id": "b"})
    assert page is not None
    assert page["_id"] == 1


async def test_a_majority_read_of_another_client_sees_every_acknowledged_write_and_no_hole(
    database: Database, mongo: Client, commits: Collection
) -> None:
    written = 0
    done = asyncio.Event()

    async def write() -> None:
        nonlocal written
        for n in range(1, 201):
            await commits.insert_one({"_id": n, "claims": [f"command:{n}"]})
            written = n
        done.set()

    async def read() -> None:
        other = open_database(mongo, database.name)[commits.name]
        while not done.is_set():
            acknowledged = written
            found = [each["_id"] async for each in other.find({}, {"_id": 1}).sort("_id", ASCENDING)]
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= acknowledged

    await asyncio.gather(write(), read())


async def test_a_session_that_is_causally_consistent_reads_its_own_writes(mongo: Client, commits: Collection) -> None:
    async with await mongo.start_session(causal_consistency=True) as session:
        for n in range(20):
            await commits.insert_one(commit(f"c{n}"), session=session)
            assert await commits.find_one({"_id": f"c{n}"}, session=session) is not None
            assert await commits.count_documents({}, session=session) == n + 1


async def test_making_the_same_indexes_again_changes_nothing(commits: Collection) -> None:
    before = await commits.index_information()
    await commits.create_index([("claims", ASCENDING)], name="claims", unique=True)
    await commits.create_indexes(
        [IndexModel([("pending", ASCENDING)], name="pending", partialFilterExpression={"pending": True})]
    )
    assert await commits.index_information() == before
