"""Two processes of one service: restarted one after the other, or paused for longer than a lease, under load."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.mongo import Client as Mongo
from chassis.mongo import database
from chassis.pulse import STILL_SECONDS
from chassis.settings import Settings
from contracts import nationalids
from deploy.local.engines import Engines
from deploy.local.services import Replica, Services
from tests.chaos.checking import findings, repeats
from tests.chaos.commands import Client
from tests.chaos.evidence import collect
from tests.chaos.load import Load
from tests.chaos.running import settled
from tests.service.platform_helpers import until

INTAKE = ("intake",)
SOURCE = "dugnad/intake"
CUT = {"ConnectError", "ReadError", "RemoteProtocolError"}
"""What a client sees of a process that has just gone: refused, or cut before it was heard. To be sent again."""


@pytest.fixture
def services(engines: Engines, settings: Settings, tmp_path: Path) -> Services:
    environ = {**os.environ, "DUGNAD_PREFIX": settings.prefix}
    return Services(engines.variables, folder=tmp_path, environ=environ, replicas=2, names=INTAKE)


@asynccontextmanager
async def loaded(client: Client, chance: random.Random) -> AsyncIterator[None]:
    """Employers at work while the block runs."""
    load = Load(client, chance)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(journeys=0, employers=4))
        try:
            yield
        finally:
            load.over.set()


async def more(client: Client, commands: int) -> None:
    """Wait until so many more commands are answered."""
    wanted = sum(each.status is not None for each in client.sent) + commands

    async def there() -> bool:
        return sum(each.status is not None for each in client.sent) >= wanted

    await until(there, f"{commands} more answers", 60)


async def ready(replica: Replica) -> None:
    async with httpx.AsyncClient() as http:

        async def says_so() -> bool:
            try:
                return (await http.get(f"{replica.url}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(says_so, f"{replica.process.name} is ready", 60)


async def relays(services: Services) -> list[Replica]:
    """The replicas whose relay works on intake's log, as their own counters say."""
    async with httpx.AsyncClient(timeout=2.0) as http:
        counters = [(await http.get(each.metrics_url)).text for each in services.replicas]
    active = f'dugnad_relay_active{{log="{SOURCE}"}} 1.0'
    return [each for each, text in zip(services.replicas, counters, strict=True) if active in text]


async def everything_is_there(client: Client, engines: Engines, prefix: str) -> int:
    """Assert it: once and in order. Returns how many records were sent to a topic more than once."""
    assert await settled(engines.mongodb_uri, prefix, INTAKE)
    evidence = await collect(engines.kafka_bootstrap_servers, engines.mongodb_uri, prefix, INTAKE)
    assert findings(client.sent, evidence) == []
    assert len(evidence.commits[SOURCE]) == sum(each.accepted for each in client.sent)
    return repeats(evidence)


@pytest.mark.timeout(300)
async def test_a_rolling_restart_under_load_fails_no_command_and_loses_and_doubles_nothing(
    engines: Engines, settings: Settings, services: Services
) -> None:
    client = Client(services.replicas, random.Random(1), keep_alive=False)
    async with services:
        async with loaded(client, random.Random(2)):
            await more(client, 30)
            for replica in services.replicas:
                await replica.process.stop()
                assert replica.process.exit_code == 0, "it ended by itself, within the time it is given"
                await more(client, 20)
                replica.process.start()
                await ready(replica)
                await more(client, 30)
        await client.close()
        assert set(client.unanswered) <= CUT, client.unanswered
        assert await everything_is_there(client, engines, settings.prefix) == 0


@pytest.mark.timeout(300)
async def test_a_process_that_is_paused_for_longer_than_its_lease_neither_numbers_nor_publishes_when_it_wakes(
    engines: Engines, settings: Settings, services: Services, mongo: Mongo
) -> None:
    leases = database(mongo, settings.database("intake"))["lease"]
    client = Client(services.replicas, random.Random(3))
    async with services:
        async with loaded(client, random.Random(4)):
            await more(client, 30)
            (paused,) = await relays(services)
            before = await leases.find_one({"_id": SOURCE})
            assert before is not None
            os.kill(paused.process.pid or 0, signal.SIGSTOP)
            try:

                async def taken_over() -> bool:
                    lease = await leases.find_one({"_id": SOURCE})
                    return lease is not None and lease["token"] > before["token"]

                await until(taken_over, "the other process is the relay", 60)
                await more(client, 30)
                held = await leases.find_one({"_id": SOURCE})
            finally:
                os.kill(paused.process.pid or 0, signal.SIGCONT)

            async def knows() -> bool:
                # By its lease, or by a connection that ended meanwhile: either way it begins by asking for the lease.
                with suppress(httpx.TransportError):
                    return paused not in await relays(services)
                return False

            await until(knows, "the woken process knows that it is the relay no longer", 30)
            await more(client, 30)
        await client.close()
        await everything_is_there(client, engines, settings.prefix)
        after = await leases.find_one({"_id": SOURCE})
        assert held is not None
        assert after is not None
        assert (after["owner"], after["token"]) == (held["owner"], held["token"]), "it never had the lease again"
        assert paused not in await relays(services)


@pytest.mark.timeout(300)
async def test_a_command_that_lay_in_a_paused_process_is_not_carried_out_after_its_client_was_refused_elsewhere(
    services: Services, mongo: Mongo, settings: Settings
) -> None:
    """The late one would be accepted by then: the version that it is based on has been reached meanwhile."""
    paused, other = services.replicas
    person = {"name": "Test Testesen", "national_id": nationalids.synthetic(date(1990, 3, 1))}
    course = {"kind": "course", "occupation": "5223", "title": "Kurs", "provider": "Kurs AS"}
    course |= {"started_on": "2024-01-08", "completed_on": "2024-01-12"}
    async with services, httpx.AsyncClient(timeout=30) as http:
        wanted = {"persona": "counsellor-refugee-service"}
        token = (await http.post(f"{other.url}/dev/token", json=wanted)).json()["access_token"]

        async def post(replica: Replica, path: str, body: Any, key: str, version: int, seconds: float = 30) -> int:
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key, "If-Match": f'"{version}"'}
            answer = await http.post(f"{replica.url}{path}", json=body, headers=headers, timeout=seconds)
            answers[key, replica.url] = answer.json()
            return answer.status_code

        answers: dict[tuple[str, str], Any] = {}
        assert await post(other, "/candidates", person, "register", 0) == 201
        candidate = f"/candidates/{answers['register', other.url]['candidate_id']}"
        os.kill(paused.process.pid or 0, signal.SIGSTOP)
        try:
            with pytest.raises(httpx.ReadTimeout):
                await post(paused, f"{candidate}/qualifications", course, "late", 2, STILL_SECONDS + 1)
            assert await post(other, f"{candidate}/qualifications", course, "late", 2) == 409
            assert await post(other, f"{candidate}/consent", {"scope": "matching"}, "consent", 1) == 201
        finally:
            os.kill(paused.process.pid or 0, signal.SIGCONT)

        async def handled() -> bool:
            counters = (await http.get(paused.metrics_url)).text
            return 'route="/candidates/{candidate_id}/qualifications"' in counters

        await until(handled, "the late command is answered to nobody", 30)
        stored = database(mongo, settings.database("intake"))["commits"]
        assert await stored.count_documents({}) == 2, "the late command took effect"
        await until(awake(http, paused), "the woken process takes commands again", 30)
        assert await post(paused, f"{candidate}/qualifications", course, "new", 2) == 201


def awake(http: httpx.AsyncClient, replica: Replica) -> Callable[[], Awaitable[bool]]:
    """Whether it refuses commands for what they say, and no longer for when they came."""

    async def is_awake() -> bool:
        token = (await http.post(f"{replica.url}/dev/token", json={"persona": "employer-lier"})).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "probe"}
        body = {"occupation": "0000", "municipality": "3312"}
        return (await http.post(f"{replica.url}/needs", json=body, headers=headers)).status_code == 422

    return is_awake
