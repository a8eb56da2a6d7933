"""The keyring on a real document server, and asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from chassis.auth import ServiceTokens
from chassis.keyring import (
    KeyDestroyed,
    KeyringUnavailable,
    KeyUnknown,
    OwnKeyring,
    RemoteKeyring,
    seal,
    unseal,
)
from chassis.keyroutes import keyring_router
from chassis.mongo import Client, Database, connect
from chassis.mongo import database as open_database
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.web import create_app
from tests.webapp import StillService
from tests.webapp import settings as still_settings

PERSON = "01HZZZZZZZZZZZZZZZZZZZZZZ1"


async def test_a_key_is_made_once_and_is_the_same_ever_after(database: Database) -> None:
    keyring = OwnKeyring(database)
    with pytest.raises(KeyUnknown):
        await keyring.key(PERSON)
    key = await keyring.create(PERSON)
    assert len(key) == 32
    assert await keyring.create(PERSON) == key
    assert await keyring.key(PERSON) == key
    assert await keyring.create(PERSON[:-1] + "2") != key


async def test_two_registrations_at_once_get_one_key(database: Database) -> None:
    made = await asyncio.gather(*(OwnKeyring(database).create(PERSON) for _ in range(20)))
    assert len(set(made)) == 1


async def test_a_destroyed_key_never_comes_back(database: Database) -> None:
    keyring = OwnKeyring(database)
    key = await keyring.create(PERSON)
    for _ in range(2):
        await keyring.destroy(PERSON)
        with pytest.raises(KeyDestroyed):
            await keyring.key(PERSON)
        with pytest.raises(KeyDestroyed):
            await keyring.create(PERSON)
    stored = await database["keys"].find({}).to_list(None)
    assert stored == [{"_id": PERSON, "destroyed": True}]
    assert key not in str(stored).encode()


async def test_a_key_destroyed_before_it_was_made_is_refused(database: Database) -> None:
    keyring = OwnKeyring(database)
    await keyring.destroy(PERSON)
    with pytest.raises(KeyDestroyed):
        await keyring.create(PERSON)


async def test_registrations_and_an_erasure_at_once_leave_no_key_behind(database: Database) -> None:
    keyring = OwnKeyring(database)
    await keyring.create(PERSON)
    await asyncio.gather(keyring.destroy(PERSON), *(keyring.create(PERSON) for _ in range(20)), return_exceptions=True)
    with pytest.raises(KeyDestroyed):
        await keyring.create(PERSON)


async def test_a_keyring_whose_database_is_away_is_unavailable_and_never_erased(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"mongodb_uri": "mongodb://127.0.0.1:1", "engine_timeout_seconds": 0.3})
    client: Client = connect(nowhere)
    keyring = OwnKeyring(open_database(client, "x"))
    for ask in (keyring.key, keyring.create, keyring.destroy):
        with pytest.raises(KeyringUnavailable):
            await ask(PERSON)
    for ask_many in (keyring.keys, keyring.destroyed):
        with pytest.raises(KeyringUnavailable):
            await ask_many([PERSON])
    client.close()


@pytest.fixture
async def asked(database: Database) -> AsyncIterator[RemoteKeyring]:
    """Another service's view of the keyring."""
    routers: list[APIRouter] = [keyring_router(OwnKeyring(database))]
    app = create_app(StillService(still_settings()), routers=routers, texts=Texts(), title="intake")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app))
    keyring = RemoteKeyring("http://intake.test", ServiceTokens(still_settings(), "followup"), client=client)
    yield keyring
    await keyring.aclose()


async def test_another_service_opens_what_was_sealed_until_the_person_is_erased(
    database: Database, asked: RemoteKeyring
) -> None:
    own = OwnKeyring(database)
    with pytest.raises(KeyUnknown):
        await asked.key(PERSON)
    blob = seal(await own.create(PERSON), {"note": "Åse"}, "check_in:1")
    assert unseal(await asked.key(PERSON), blob, "check_in:1") == {"note": "Åse"}
    await own.destroy(PERSON)
    # The other service may hold the key for a minute more, a newly started one may not.
    fresh = RemoteKeyring("http://intake.test", ServiceTokens(still_settings(), "followup"), client=asked._client)
    with pytest.raises(KeyDestroyed):
        await fresh.key(PERSON)
    with pytest.raises(KeyUnknown):
        await asked.keys(["01A", PERSON])
    other = await own.create("01A")
    assert await asked.keys(["01A", PERSON]) == {"01A": other}
    # It may ask, and then holds it no more.
    assert await asked.destroyed(["01A", PERSON]) == {PERSON}
    with pytest.raises(KeyDestroyed):
        await asked.key(PERSON)
