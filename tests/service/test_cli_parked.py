"""Parked events as an operator meets them: on a live topic, through the commands."""

from __future__ import annotations

import json

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis.mongo import Database
from chassis.settings import Settings
from contracts import envelope, intake
from contracts.event import Event
from tests.service.intake_helpers import MONDAY, World
from tests.service.platform_helpers import until, workforce
from tests.service.test_cli import Dugnad, database, dugnad, needs, world
from tests.unit.contracts.examples import EXAMPLES

__all__ = ["database", "dugnad", "world"]
SUBJECT = f"{intake.SOURCE} workforce:strange-2025"


async def send(settings: Settings, event: Event, type_name: str, position: int) -> None:
    """Sends an event under another type than its own, as a program of another version would."""
    sent = envelope.encode(
        event.model_copy(update={"occurred": MONDAY}),
        source=intake.SOURCE,
        position=position,
        recorded=MONDAY,
        correlation="c",
        causation=None,
        traceparent=None,
        schema_base_url="https://dugnad.example/schemas/",
    )
    headers = [(name, type_name.encode() if name == "ce_type" else value) for name, value in sent.headers]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        topic, partition = settings.topic(intake.TOPIC), await _partition(settings, event)
        await producer.send_and_wait(topic, sent.value, sent.key, headers=headers, partition=partition)


async def _partition(settings: Settings, event: Event) -> int | None:
    """Where earlier events of the same key lie: the client that sends here chooses by another rule than the relay's."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.topic(intake.TOPIC), number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                if any(record.key == event.partition_key.encode() for record in records):
                    return int(partition.partition)
    finally:
        await consumer.stop()
    return None


async def strange(settings: Settings) -> None:
    """Sends an event of a type that nobody knows, at a position that the log itself does not come to here."""
    await send(settings, workforce("strange", 2025, 7), "dugnad.intake.Unheard.v1", 901)


async def test_what_is_parked_is_shown_replayed_and_discarded_with_a_reason(
    world: World, dugnad: Dugnad, database: Database
) -> None:
    assert await needs(world, 2) == 2
    assert (await dugnad("parked", "list", "intake/needs"))[:2] == (0, "nothing is parked\n")
    await strange(world.settings)

    async def parked() -> bool:
        return await database["parked_needs_1"].count_documents({"state": "waiting"}) == 1

    await until(parked, "the strange event is parked")
    code, out, _ = await dugnad("parked", "list", "intake/needs", "--json")
    assert code == 1
    listed = json.loads(out)["parked"]
    assert [each["subject"] for each in listed] == [SUBJECT]
    assert "value" not in listed[0]
    code, out, _ = await dugnad("status", "--json")
    shown = next(each for each in json.loads(out)["services"][0]["projections"] if each["name"] == "needs")
    assert shown["parked"] == {"events": 1, "subjects": 1}
    assert shown["last_error"]["error"] == listed[0]["error"]

    for what in (SUBJECT, listed[0]["_id"]):
        code, out, _ = await dugnad("parked", "show", "intake/needs", what)
        assert code == 0
        assert "dugnad.intake.Unheard.v1" in out
    assert (await dugnad("parked", "show", "intake/needs", "absent"))[0] == 2

    assert (await dugnad("parked", "replay", "intake/needs", SUBJECT))[0] == 0

    async def tried_again() -> bool:
        return await database["parked_needs_1"].count_documents({"state": "waiting", "attempts": 2}) == 1

    await until(tried_again, "it was tried again, and is parked again")
    code, out, err = await dugnad("parked", "discard", "intake/needs", SUBJECT, "--reason", "sent by mistake")
    assert code == 2
    assert listed[0]["_id"] in out
    assert "add --yes" in err
    assert await parked()
    assert (await dugnad("parked", "discard", "intake/needs", SUBJECT, "--reason", "sent by mistake", "--yes"))[0] == 0

    async def gone() -> bool:
        return await database["parked_needs_1"].count_documents({}) == 0

    await until(gone, "it is discarded")
    audit = [each async for each in database["parking_audit"].find({}, sort=[("at", 1)])]
    asked = [each for each in audit if "asked" in each]
    assert [(each["asked"], each["reason"]) for each in asked] == [("replay", ""), ("discard", "sent by mistake")]


async def test_a_newer_version_parks_with_what_follows_and_everything_else_flows(
    world: World, dugnad: Dugnad, database: Database
) -> None:
    """An operator's way: seen, shown, the one event let go, the rest replayed in order, audited, verified."""
    first = await world.need()
    need, employer = first["need_id"], world.as_("employer-lier")
    subject = f"{intake.SOURCE} need:{need}"
    newer = EXAMPLES["dugnad.NeedWithdrawn.v1"].model_copy(update={"need_id": need})
    await send(world.settings, newer, "dugnad.NeedWithdrawn.v9", 900)
    await strange(world.settings)

    async def parked(count: int) -> bool:
        return await database["parked_needs_1"].count_documents({}) == count

    await until(lambda: parked(2), "both are parked")
    withdrawn = await employer.post(f"/needs/{need}/withdrawal", {"reason": "other"}, version=first["version"])
    assert withdrawn.status_code < 300, withdrawn.text
    await until(lambda: parked(3), "what follows waits behind it")
    other = await world.need()
    shown = await employer.get("/needs", min_position=f"intake:{other['position']}", open_only="true")
    # The other one flows on; this one is as it was.
    assert {each["need_id"] for each in shown.json()["items"]} == {need, other["need_id"]}

    code, out, _ = await dugnad("parked", "list", "intake/needs", "--json")
    assert code == 1
    mine = [each for each in json.loads(out)["parked"] if each["subject"] == subject]
    assert ["newer than this version" in each["error"] for each in mine] == [True, False]
    assert "waits behind" in mine[1]["error"]
    code, out, _ = await dugnad("parked", "list", "intake/needs")
    assert subject in out
    code, out, _ = await dugnad("parked", "show", "intake/needs", subject)
    assert (code, "dugnad.NeedWithdrawn.v9" in out) == (0, True)

    assert (await dugnad("parked", "replay", "intake/needs", subject, "--reason", "a try"))[0] == 0

    async def again() -> bool:
        found = await database["parked_needs_1"].find_one({"_id": mine[0]["_id"]})
        return found is not None and (found["attempts"], found["state"]) == (2, "waiting")

    await until(again, "it is parked again, and what is behind it still waits")
    assert await parked(3)
    reason = ("--reason", "not of this program", "--yes")
    assert (await dugnad("parked", "discard", "intake/needs", mine[0]["_id"], *reason))[0] == 0
    assert (await dugnad("parked", "discard", "intake/needs", SUBJECT, *reason))[0] == 0
    # What was to be replayed, and waited behind the one, needs no second word.
    await until(lambda: parked(0), "the one is gone, the rest is folded")
    shown = await employer.get("/needs", open_only="true")
    assert [each["need_id"] for each in shown.json()["items"]] == [other["need_id"]]
    assert (await dugnad("parked", "list", "intake/needs"))[:2] == (0, "nothing is parked\n")
    audit = [each async for each in database["parking_audit"].find({"reason": reason[1]})]
    assert sorted(each["subject"] for each in audit) == sorted([mine[0]["_id"], SUBJECT])
    assert all(each["who"] for each in audit)
    # What was discarded is no difference.
    code, out, _ = await dugnad("verify", "intake/needs")
    assert code == 0, out
