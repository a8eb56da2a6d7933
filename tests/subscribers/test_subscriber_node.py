"""KafkaJS and Ajv, which know nothing of this repository but the schemas, read what the relay publishes."""

from __future__ import annotations

import json
from pathlib import Path

from aiokafka import AIOKafkaProducer

from chassis.settings import Settings
from contracts import intake
from contracts.schemas import DIRECTORY
from tests.subscribers.node import NODE
from tests.subscribers.publishing import TIMES, publish_examples
from tests.subscribers.running import read_all
from tests.unit.contracts.examples import EXAMPLES, record

NEED = EXAMPLES[intake.NeedRegistered.type_name()]

Plant = tuple[bytes, bytes, list[tuple[str, bytes]]]


def with_data(position: int, **changes: object) -> Plant:
    """A record of a need whose data is changed; None removes a field."""
    key, value, headers = record(NEED, position=position)
    data = {name: found for name, found in (json.loads(value) | changes).items() if found is not None}
    return key, json.dumps(data).encode(), headers


def with_header(position: int, name: str, text: str | None) -> Plant:
    """The same with one header changed or removed."""
    key, value, headers = record(NEED, position=position)
    others = [each for each in headers if each[0] != name]
    return key, value, others if text is None else [*others, (name, text.encode())]


PLANTS: dict[str, Plant] = {
    "must have required property 'need_id'": with_data(101, need_id=None),
    "/hours_per_week must be number": with_data(102, hours_per_week="many"),
    '/promise_date must match format "date"': with_data(103, promise_date="soon"),
    "/language/reading must be string": with_data(104, language={"reading": 2}),
    "header ce_recordedtime is missing": with_header(105, "ce_recordedtime", None),
    "ce_id is not source#position": with_header(106, "ce_sequence", f"{999:020d}"),
    "ce_dataschema is not the schema of ce_type": with_header(107, "ce_dataschema", "https://dugnad.example/x.json"),
    "the key is not ce_partitionkey": (b"another", *record(NEED, position=108)[1:]),
    "the value is not JSON": (record(NEED).key, b"{", record(NEED, position=109).headers),
}
# The first is read as the version that is known, the second is counted as unknown.
NEWER = ("dugnad.NeedRegistered.v99", "dugnad.SomethingNew.v1")


def of_type(position: int, type_name: str) -> Plant:
    """A record of a type that the schemas do not have."""
    key, value, headers = record(NEED, position=position)
    schema = f"https://dugnad.example/schemas/{type_name.removeprefix('dugnad.')}.json".encode()
    changed = {"ce_type": type_name.encode(), "ce_dataschema": schema}
    return key, value, [(name, changed.get(name, raw)) for name, raw in headers]


async def test_every_message_validates_once_and_each_planted_fault_is_reported(
    settings: Settings, node_subscriber: Path, tmp_path: Path
) -> None:
    publication = await publish_examples(settings)
    planted = {}
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        topic = publication.topics[0]
        for fault, (key, value, headers) in PLANTS.items():
            sent = await producer.send_and_wait(topic, value, key, headers=headers)
            planted[topic, sent.partition, str(sent.offset)] = fault
        for position, type_name in enumerate(NEWER, start=201):
            key, value, headers = of_type(position, type_name)
            await producer.send_and_wait(topic, value, key, headers=headers)

    group = settings.group("test", "node")
    lines = await read_all(
        settings,
        [NODE, node_subscriber / "subscriber.mjs", *publication.topics],
        group=group,
        topics=publication.topics,
        folder=tmp_path,
        environ={"GROUP": group, "SCHEMAS": str(DIRECTORY)},
    )

    *said, counts = [json.loads(line) for line in lines]
    events = [each for each in said if "id" in each]
    assert {each["id"]: each["type"] for each in events} == publication.types | {
        "dugnad/intake#201": "dugnad.NeedRegistered.v99"
    }
    reported = {
        (each["topic"], each["partition"], each["offset"]): each["invalid"] for each in said if "invalid" in each
    }
    assert reported.keys() == planted.keys()
    for place, fault in planted.items():
        assert any(fault in found for found in reported[place]), (fault, reported[place])
    assert counts == {
        "events": len(publication.types) + 1,
        "duplicates": len(publication.types) * (TIMES - 1),
        "unknown": 1,
        "invalid": len(PLANTS),
    }
