"""Kafka's data deleted and the documents kept: topics come back from the logs, and nobody reacts a second time."""

from __future__ import annotations

import pytest

from chassis.mongo import Database
from chassis.reactor import OffsetsLost
from chassis.republish import _delete
from chassis.service import Service
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from deploy.local.refill import refill, told
from tests.service.platform_helpers import figures, published, report, small_service, until
from tests.service.test_platform_reactions import withdraw_at


def reacting(settings: Settings) -> Service:
    """A service with a name that is known to the refill, on intake's log."""
    service, eventlog = small_service(settings, figures(), name="matching")
    service.add_reaction(eventlog, withdraw_at(13))
    return service


async def _outcomes(database: Database) -> list[str]:
    return sorted([each["outcome"] async for each in database["reactions"].find({"outcome": {"$ne": "begun"}})])


async def test_a_refill_sends_everything_again_and_lets_reactions_begin_without_doing_anything_twice(
    settings: Settings,
) -> None:
    variables = {"KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers, "MONGODB_URI": settings.mongodb_uri}
    service = reacting(settings)
    await service.start()
    log = service._logs[0]
    await report(service.commands(log), "1", 13)

    async def reacted() -> bool:
        return await _outcomes(service.database("matching")) == ["appended"]

    await until(reacted, "the reaction")
    await published(log, 2)
    assert await refill(variables, prefix=settings.prefix) == {}, "nothing is gone"
    await service.stop()

    await _delete(settings.topic(intake.TOPIC), settings)
    await ensure_topics(settings, [intake.TOPIC])
    # Nobody else takes lost offsets for a beginning.
    refused = reacting(settings)
    with pytest.raises(OffsetsLost):
        await refused.start()
    await refused.stop()

    sent = await refill(variables, prefix=settings.prefix)
    assert sent == {intake.SOURCE: 2}
    assert f"{intake.SOURCE} (2 events)" in told(sent)
    again = reacting(settings)
    await again.start()
    try:
        log = again._logs[0]
        await report(again.commands(log), "2", 7)

        async def caught_up() -> bool:
            # The group has come past the old events: it has reacted to the new one behind them.
            return await _outcomes(again.database("matching")) == ["appended", "nothing"]

        await until(caught_up, "the reactions go on")
        assert await log.version("need:1") == 1, "it reacted a second time"
        view = again.view("figures")
        assert await view.wait_for(intake.SOURCE, 3, 20)
        assert {each["_id"]: each["counts"] for each in await view.find()} == {"1": [13], "2": [7]}
    finally:
        await again.stop()
