"""Leases: what `chassis/lease.py` asks of the document server.

Invariant: among racers one gets the lease, judged by the server's clock, and the next one is told apart by its token.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import chassis.lease
from chassis.clock import machine_now
from chassis.lease import Lease, LeaseLost
from chassis.mongo import Collection
from deploy.local.engines import Engines

RACERS = 50
LONG = 600.0
PLANTED = {"$lte": ["$until", "$$NOW"]}
"""The lease written the obvious way."""


async def one_of_fifty_gets_it(collection: Collection) -> None:
    """The rule, as a check that a planted fault can be shown to as well."""
    leases = [Lease(collection, "role", LONG) for _ in range(RACERS)]
    await leases[0].prepare()
    taken = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert sum(taken) == 1
    winner = leases[taken.index(True)]
    stored = await collection.find_one({"_id": "role"})
    assert stored is not None
    assert (stored["owner"], stored["token"]) == (winner.owner, 1)


async def test_among_fifty_racers_one_gets_the_lease(collection: Collection) -> None:
    await one_of_fifty_gets_it(collection)


async def test_the_check_finds_a_lease_that_compares_dates_in_the_way_that_the_engine_gets_wrong(
    collection: Collection, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    await collection.insert_one({"_id": "in an hour", "until": machine_now() + timedelta(hours=1)})
    gets_it_wrong = await collection.find_one({"_id": "in an hour", "$expr": PLANTED}) is not None
    monkeypatch.setattr(chassis.lease, "_EXPIRED", PLANTED)
    found = False
    try:
        await one_of_fifty_gets_it(collection)
    except AssertionError:
        found = True
    assert found == gets_it_wrong
    assert gets_it_wrong or engines.documents_kind != "secantusd-py"


async def test_an_expired_lease_goes_over_with_a_higher_token_and_its_old_holder_is_refused(
    collection: Collection,
) -> None:
    first = Lease(collection, "role", LONG)
    await first.prepare()
    assert await first.acquire()
    await collection.update_one({"_id": "role"}, {"$set": {"until": datetime.fromtimestamp(0, UTC)}})
    second = Lease(collection, "role", LONG)
    assert await second.acquire()
    assert second.token == first.token + 1
    with pytest.raises(LeaseLost):
        await first.publish_up_to(1)
    await second.publish_up_to(7)
    stored = await collection.find_one({"_id": "role"})
    assert stored is not None
    assert stored["published"] == 7


async def test_a_released_lease_is_free_at_once_and_carries_on_where_it_was(collection: Collection) -> None:
    first = Lease(collection, "role", LONG)
    await first.prepare()
    assert await first.acquire()
    await first.publish_up_to(42)
    await first.release()
    second = Lease(collection, "role", LONG)
    assert await second.acquire()
    assert second.published == 42


async def test_a_lease_ends_as_many_milliseconds_after_the_servers_now_as_it_lasts(collection: Collection) -> None:
    lease = Lease(collection, "role", 3600.0)
    await lease.prepare()
    before = machine_now()
    assert await lease.acquire()
    after = machine_now()
    stored = await collection.find_one({"_id": "role"})
    assert stored is not None
    # The server is on this machine or close to it: a minute of slack for clocks that differ.
    slack = timedelta(minutes=1)
    assert before - slack <= stored["until"] - timedelta(hours=1) <= after + slack
