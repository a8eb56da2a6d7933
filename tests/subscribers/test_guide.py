"""`docs/events.md` says what the code does: quotes are the files, tables are the contracts, commands run."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess

import pytest

from chassis.settings import Settings
from contracts import envelope, matching
from contracts.registry import SOURCES, topic_of
from deploy.local.places import ROOT
from tests.subscribers.publishing import TIMES, publish_examples
from tests.unit.contracts.examples import GOLDEN, golden_record

GUIDE = (ROOT / "docs" / "events.md").read_text("utf-8")
KCAT = shutil.which("kcat")


def rows(section: str) -> list[list[str]]:
    """The cells of the first table of a section, without its head."""
    text = GUIDE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    table = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in table[2:]]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(("language", "name"), [("python", "subscriber.py"), ("js", "subscriber.mjs")])
def test_a_quoted_subscriber_is_the_file_that_runs(language: str, name: str) -> None:
    assert blocks(language) == [(ROOT / "docs" / "subscribers" / name).read_text("utf-8")]


def test_every_topic_is_listed_with_its_source_and_its_events() -> None:
    listed = {
        topic.strip("`"): (source.strip("`"), set(re.findall("`([A-Za-z]+)`", events)))
        for topic, source, events in rows("Topics")
    }
    assert listed == {
        topic_of(source): (source, {event.__name__ for event in events}) for source, events in SOURCES.items()
    }


def test_every_header_is_explained_and_its_example_is_one() -> None:
    described = {name.strip("`"): (meaning, example.strip("`")) for name, meaning, example in rows("A record")}
    assert sorted(described) == sorted([*envelope.REQUIRED_HEADERS, *envelope.OPTIONAL_HEADERS])
    optional = {name for name, (meaning, _) in described.items() if meaning.startswith("optional")}
    assert optional == set(envelope.OPTIONAL_HEADERS)
    written = {name: raw.decode() for name, raw in golden_record(GOLDEN / "NeedRegistered.v1.json").headers}
    for name in envelope.REQUIRED_HEADERS:
        assert described[name][1] == written[name]


def run(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.mark.skipif(KCAT is None, reason="kcat is not on this machine")
async def test_the_commands_with_kcat_say_what_they_promise(settings: Settings) -> None:
    publication = await publish_examples(settings, [matching.SOURCE])
    said = []
    for command in blocks("sh"):
        for shown, here in (
            ("127.0.0.1:9092", settings.kafka_bootstrap_servers),
            (matching.TOPIC, publication.topics[0]),
        ):
            assert command.count(shown) == 1, command
            command = command.replace(shown, here)
        said.append(await asyncio.to_thread(run, command))
    everything, case, count = said
    count_published = len(publication.types) * TIMES
    assert len(re.findall(r"ce_id=dugnad/matching#\d+", everything)) == count_published
    assert case.count("\n") == count_published
    assert count.strip() == str(count_published)
