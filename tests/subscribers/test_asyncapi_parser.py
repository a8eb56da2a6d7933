"""`asyncapi.yaml` is taken by the reference parser, and says what was really published."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from chassis.settings import Settings
from contracts import intake
from contracts.schemas import DIRECTORY
from tests.subscribers.node import NODE
from tests.subscribers.publishing import on_topics, publish_examples
from tests.unit.contracts.examples import EXAMPLES, record

ASYNCAPI = DIRECTORY.parent / "asyncapi.yaml"
NEED = intake.NeedRegistered.type_name()

Texts = dict[str, Any]


class Said(NamedTuple):
    """What the check found."""

    diagnostics: list[str]
    messages: list[str]
    met: list[str]
    faults: list[str]


def check(place: Path, documents: Sequence[Path], records: list[Texts]) -> list[Said]:
    """Hold records against documents."""
    command = [NODE, place / "check_asyncapi.mjs", *documents]
    done = subprocess.run(command, input=json.dumps(records), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [Said(**json.loads(line)) for line in done.stdout.splitlines()]


def texts_of(found: ConsumerRecord, settings: Settings) -> Texts:
    return {
        "address": found.topic.removeprefix(settings.prefix),
        "key": found.key.decode(),
        "headers": {name: raw.decode() for name, raw in found.headers},
        "value": found.value.decode(),
    }


async def test_the_parser_takes_it_and_every_message_is_what_was_published(
    settings: Settings, asyncapi_check: Path
) -> None:
    publication = await publish_examples(settings)
    records = [texts_of(each, settings) for each in await on_topics(settings, publication.topics)]
    (said,) = check(asyncapi_check, [ASYNCAPI], records)
    assert said.diagnostics == []
    assert said.faults == []
    assert sorted(said.met) == sorted(said.messages), "a message that nobody publishes, or that nobody described"


# Planted faults: each must be found, or the check above holds nothing.


def need(document: Texts) -> str:
    """How the document calls the message of a need."""
    messages: dict[str, Texts] = document["components"]["messages"]
    return next(name for name, message in messages.items() if message["name"] == NEED)


def do_nothing(document: Texts) -> None:
    pass


def rename_a_header(document: Texts) -> None:
    headers = document["components"]["messageTraits"]["cloudEvent"]["headers"]
    headers["required"].append("ce_datacontenttype")


def give_the_position_another_form(document: Texts) -> None:
    headers = document["components"]["messageTraits"]["cloudEvent"]["headers"]
    headers["properties"]["ce_sequence"]["pattern"] = "^[0-9]{8}$"


def lead_to_another_schema(document: Texts) -> None:
    document["components"]["messages"][need(document)]["payload"]["schema"]["$ref"] = "./schemas/NeedWithdrawn.v1.json"


def move_to_another_topic(document: Texts) -> None:
    document["channels"]["intake"]["address"] = "dugnad.intake.v2"


def refer_to_nothing(document: Texts) -> None:
    document["channels"]["intake"]["messages"][need(document)]["$ref"] = "#/components/messages/NeedRegistred"


def misspell(document: Texts) -> None:
    document["operations"]["publishIntake"]["action"] = "sends"


PLANTS: dict[Callable[[Texts], None], str] = {
    rename_a_header: "headers  must have required property 'ce_datacontenttype'",
    give_the_position_another_form: 'headers /ce_sequence must match pattern "^[0-9]{8}$"',
    lead_to_another_schema: "payload  must have required property 'withdrawn_on'",
    move_to_another_topic: "no such message on this channel",
    refer_to_nothing: "NeedRegistred",
    misspell: "action",
}


def only_needs() -> Texts:
    """The document with one message alone, which the parser takes in a tenth of the time."""
    document: Texts = json.loads(ASYNCAPI.read_text("utf-8"))
    kept = need(document)
    for part in (document["channels"]["intake"]["messages"], document["components"]["messages"]):
        for name in set(part) - {kept}:
            del part[name]
    for name in set(document["channels"]) - {"intake"}:
        del document["channels"][name]
    for name in set(document["operations"]) - {"publishIntake"}:
        del document["operations"][name]
    return document


def test_documents_that_say_something_else_are_found(asyncapi_check: Path, tmp_path: Path) -> None:
    shutil.copytree(DIRECTORY, tmp_path / "schemas")
    documents = []
    for fault in (do_nothing, *PLANTS):
        document = only_needs()
        fault(document)
        documents.append(tmp_path / f"{fault.__name__}.yaml")
        documents[-1].write_text(json.dumps(document), "utf-8")
    key, value, headers = record(EXAMPLES[NEED])
    as_texts = {name: raw.decode() for name, raw in headers}
    published = {"address": "dugnad.intake.v1", "key": key.decode(), "headers": as_texts, "value": value.decode()}
    untouched, *found = check(asyncapi_check, documents, [published])
    name = f"dugnad.intake.v1 {NEED}"
    assert untouched == Said(diagnostics=[], messages=[name], met=[name], faults=[])
    for (fault, why), said in zip(PLANTS.items(), found, strict=True):
        assert any(why in each for each in [*said.diagnostics, *said.faults]), (fault.__name__, said)
