"""Tables say how complete they are for every source that a log has had."""

from __future__ import annotations

from datetime import UTC, date, datetime

from aiokafka import AIOKafkaProducer

from chassis.issuer import NAV_DIRECTORATE
from chassis.settings import Settings
from contracts import envelope
from contracts import intake as it
from tests.service.test_reporting_http import running

NOW = datetime(2025, 11, 3, 9, tzinfo=UTC)
SECOND = f"{it.SOURCE}~2"


def figure(year: int) -> it.WorkforceReported:
    return it.WorkforceReported(org_number=NAV_DIRECTORATE, year=year, head_count=13_000, reported_on=date(2025, 11, 3))


async def _under_the_new_source(settings: Settings) -> None:
    sent = envelope.encode(
        figure(2024).model_copy(update={"occurred": NOW}),
        source=SECOND,
        position=1,
        recorded=NOW,
        correlation="c",
        causation=None,
        traceparent=None,
        schema_base_url=settings.schema_base_url,
    )
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        await producer.send_and_wait(settings.topic(it.TOPIC), sent.value, sent.key, headers=sent.headers)


async def test_a_table_counts_and_names_what_came_under_the_new_source_of_a_continued_log(settings: Settings) -> None:
    async with running(settings) as world:
        await world.happened(it.SOURCE, NOW, figure(2023))
        assert (await world.table("arbeidsstyrke"))["complete_to"] == {it.SOURCE: 1}
        await _under_the_new_source(settings)
        answer = await world.http.get("/tables/arbeidsstyrke", params={"min_position": ["intake:1", "intake~2:1"]})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["complete_to"] == {it.SOURCE: 1, SECOND: 1}
        assert {row["year"] for row in told["rows"]} == {2023, 2024}
        page = await world.http.get("/tables/arbeidsstyrke", headers={"Accept": "text/html"})
        assert page.status_code == 200
        behind = await world.http.get("/tables/arbeidsstyrke", params={"min_position": "intake~2:2"})
        assert behind.status_code == 503
        assert "Retry-After" in behind.headers
