"""The Python subscribers of the guide and of the README, as they stand there, on live topics."""

from __future__ import annotations

import re
import sqlite3
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer

from chassis.settings import Settings
from contracts import matching
from deploy.local.places import ROOT
from tests.subscribers.publishing import Publication, publish_examples
from tests.subscribers.running import read_all

SUBSCRIBER = ROOT / "docs" / "subscribers" / "subscriber.py"


async def run_subscriber(settings: Settings, publication: Publication, folder: Path) -> list[str]:
    group = settings.group("test", "python")
    return await read_all(
        settings,
        [sys.executable, "-u", SUBSCRIBER, folder / "events.db", *publication.topics],
        group=group,
        topics=publication.topics,
        folder=folder,
        environ={"GROUP": group, "PYTHONPATH": str(ROOT)},
    )


async def test_the_python_subscriber_has_each_event_once_and_knows_that_none_is_missing(
    settings: Settings, tmp_path: Path
) -> None:
    publication = await publish_examples(settings)
    lines = await run_subscriber(settings, publication, tmp_path)

    with sqlite3.connect(tmp_path / "events.db") as store:
        stored = store.execute("SELECT source, position, type FROM events").fetchall()
    assert {f"{source}#{position}": type_name for source, position, type_name in stored} == publication.types
    assert len(stored) == len(publication.types)
    for source, last in publication.heads.items():
        assert f"{source}: {last} of {last}" in lines

    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        planted = await producer.send_and_wait(publication.topics[0], b"{}", b"need:1")
    again = await run_subscriber(settings, publication, tmp_path)
    # It went on where it had been, and put what is no event aside.
    reason = "header ce_specversion is missing"
    assert again[0] == f"set aside: {publication.topics[0]} {planted.partition} {planted.offset} {reason}"
    assert not [line for line in again if "#" in line]


async def test_the_subscriber_of_the_readme_says_every_event(settings: Settings, tmp_path: Path) -> None:
    publication = await publish_examples(settings, [matching.SOURCE])
    (topic,) = publication.topics
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    group = settings.group("test", "readme")
    for shown, here in (
        ('"127.0.0.1:9092"', f'"{settings.kafka_bootstrap_servers}"'),
        (f'"{matching.TOPIC}"', f'"{topic}"'),
        ('"my-service"', f'"{group}"'),
    ):
        assert block.count(shown) == 1, shown
        block = block.replace(shown, here)
    script = tmp_path / "readme.py"
    script.write_text(f"{block}\nimport asyncio\nasyncio.run(main())\n", "utf-8")
    lines = await read_all(
        settings,
        [sys.executable, "-u", script],
        group=group,
        topics=publication.topics,
        folder=tmp_path,
        environ={"PYTHONPATH": str(ROOT)},
    )
    said = {line.split()[0]: line.split()[1] for line in lines}
    assert said == publication.types
