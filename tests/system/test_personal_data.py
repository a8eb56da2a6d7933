"""What the scenarios say of people stays where it belongs: in intake, sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from bson import encode

from chassis.mongo import Client
from chassis.settings import Settings
from contracts.registry import TOPICS
from deploy.local import demo
from deploy.local.engines import Engines
from deploy.local.player import Player
from deploy.local.player_scenario import load
from tests.system.system_helpers import metrics_urls, system

PERSONAL = ("name", "national_id", "phone", "email", "notes", "note", "title", "provider")
"""The fields of requests that hold a person's data."""


def canaries() -> set[str]:
    """Every personal value that the scenarios send."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, part in value.items():
                if name in PERSONAL and isinstance(part, str):
                    yield part
                yield from walk(part)
        elif isinstance(value, list):
            for part in value:
                yield from walk(part)

    return {found for scenario in load() for step in scenario.steps for found in walk(step.body)}


def written(canary: str) -> list[bytes]:
    """As it may stand in bytes: plain, and as JSON writes it."""
    return [canary.encode(), json.dumps(canary)[1:-1].encode()]


def assert_absent(where: str, found: bytes, wanted: set[str]) -> None:
    leaked = sorted(canary for canary in wanted if any(form in found for form in written(canary)))
    assert not leaked, f"{where} holds {leaked}"


async def they_were_really_taken_in(urls: dict[str, str]) -> None:
    """Who may read a name does: else nothing would be found anywhere, and nothing proven."""
    async with Player(urls) as player:
        await player.play(load())
        path = f"/candidates/{player.played.known['lier']['candidate_id']}"
        answer = await player.get("intake", path, "counsellor-refugee-service")
        assert answer.json()["name"] == "Karim Haddad"


def logs_in(folder: Path) -> dict[str, bytes]:
    found = {log.name: log.read_bytes() for log in folder.glob("*.log")}
    assert len(found) == 4
    return found


async def everything_on(settings: Settings, topic: str) -> bytes:
    """Keys, headers and values of a topic, one after the other."""
    servers = settings.kafka_bootstrap_servers
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        name = settings.topic(topic)
        partitions = [TopicPartition(name, each) for each in range(settings.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[bytes] = []
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    found += [record.key, record.value, *(value for _, value in record.headers)]
        return b"\n".join(found)
    finally:
        await consumer.stop()


@pytest.mark.timeout(300)
async def test_personal_values_are_in_no_topic_log_line_metric_or_readable_document(
    engines: Engines, settings: Settings, mongo: Client, tmp_path: Path
) -> None:
    wanted = canaries()
    assert {"Karim Haddad", "12849030289", "+47 400 00 001"} <= wanted
    services = system(engines, settings, tmp_path)
    async with services:
        await demo.play(services.urls)
        await they_were_really_taken_in(services.urls)
        async with httpx.AsyncClient() as http:
            for name, url in services.urls.items():
                assert_absent(f"OpenAPI of {name}", (await http.get(f"{url}/openapi.json")).content, wanted)
            for name, url in metrics_urls(services).items():
                counters = await http.get(url)
                assert b"dugnad" in counters.content
                assert_absent(f"metrics of {name}", counters.content, wanted)
    on_topics = 0
    for topic in TOPICS:
        found = await everything_on(settings, topic)
        on_topics += len(found)
        assert_absent(topic, found, wanted)
    assert on_topics > 10_000
    for name, lines in logs_in(tmp_path).items():
        assert_absent(name, lines, wanted)
    for database in await mongo.list_database_names():
        if database.startswith(settings.prefix):
            for collection in await mongo[database].list_collection_names():
                async for document in mongo[database][collection].find({}):
                    assert_absent(f"{database}.{collection}", encode(document), wanted)
