"""A rebuild of declared rules in the compiled fold is what grew live and what Python folds; nothing is passed over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chassis import native
from chassis.bulk import Work
from chassis.compiled import Compiled
from chassis.declared import Also, Entry, Of, declared
from chassis.eventlog import EventLog
from chassis.fetching import Batch
from chassis.mongo import Database
from chassis.projection import Projection
from chassis.service import Service
from chassis.settings import Settings
from chassis.verify import verify
from contracts import envelope, intake
from tests.service.platform_helpers import reading_service, until
from tests.service.test_rebuild import contents, eventlog, fill, silent
from tests.service.test_rebuild_bulk import NEVER, Watched
from tests.service.test_rebuild_equals_live import Headers, once_more

__all__ = ["eventlog"]
EVENTS = 60


def figures_said() -> Projection:
    """All figures of an employer, by the day on which they were reported."""
    says = Entry("said", "reported_on", {"counts": Also("head_count"), "recorded": Of.RECORDED, "last": Of.POSITION})
    return declared("figures", (intake.TOPIC,), {intake.WorkforceReported: ("org_number", says)}, by_case=True)


@pytest.fixture
async def service(eventlog: EventLog, settings: Settings) -> AsyncIterator[Service]:
    """Folds live."""
    await fill(eventlog, EVENTS)
    service = reading_service(settings, figures_said())
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def offsets(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Where the compiled fold ended in each batch."""
    reached: list[int | None] = []
    fold = Compiled.fold

    def noted(compiled: Compiled, batch: Batch) -> int | None:
        reached.append(fold(compiled, batch))
        return reached[-1]

    monkeypatch.setattr(Compiled, "fold", noted)
    return reached


async def folded(service: Service, events: int) -> None:
    async def complete() -> bool:
        return await service.view("figures").complete_to(intake.SOURCE) == events

    await until(complete, f"everything folded up to {events}", 30)


async def rebuilt(service: Service, settings: Settings, held_bytes: int = NEVER, **how: Any) -> list[dict[str, Any]]:
    database = service.database("small")
    rebuild = Watched(figures_said(), database, settings, bulk_from=1)
    generation = await rebuild.run(silent, hands=rebuild.hands(held_bytes), **how)
    assert rebuild.left == []
    verdict = await verify(figures_said(), generation, database, settings)
    assert verdict.fine or how.get("until") or how.get("force"), verdict
    return await contents(database, generation.name)


async def live(database: Database) -> list[dict[str, Any]]:
    return await contents(database, "figures_1")


@pytest.mark.parametrize("held_bytes", [1, NEVER])
async def test_declared_rules_rebuilt_equal_live_and_python_under_duplicates_and_compression(
    held_bytes: int, service: Service, settings: Settings, offsets: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    await once_more(settings, intake.TOPIC)
    await once_more(settings, intake.TOPIC, compression_type="gzip")
    await folded(service, EVENTS)
    grown = await live(service.database("small"))
    assert sum(len(each["counts"]) for document in grown for each in document["said"].values()) == EVENTS
    assert await rebuilt(service, settings, held_bytes) == grown
    assert set(offsets) == {None}, "all of it was plain"
    seen = len(offsets)
    monkeypatch.setattr(native, "library", lambda: None)
    assert await rebuilt(service, settings, held_bytes) == grown
    assert len(offsets) == seen, "that was Python alone"


async def test_what_is_not_plain_is_folded_or_parked_as_live_and_everything_else_flows(
    service: Service, settings: Settings, offsets: list[int | None]
) -> None:
    def other_instants(headers: Headers) -> Headers:
        return [(name, value.replace(b"Z", b"+00:00") if name == envelope.TIME else value) for name, value in headers]

    def without_type(headers: Headers) -> Headers:
        return [each for each in headers if each[0] != envelope.TYPE]

    await once_more(settings, intake.TOPIC, other_instants)
    await once_more(settings, intake.TOPIC, without_type)
    await folded(service, EVENTS)
    database = service.database("small")

    async def parked() -> bool:
        return await database["parked_figures_1"].count_documents({}) > 0

    await until(parked, "what is no event is parked")
    assert await rebuilt(service, settings, force=True) == await live(database)
    assert any(each is not None for each in offsets), "it ended at what is not plain"


async def test_up_to_a_position_the_compiled_fold_holds_exactly_that(
    service: Service, settings: Settings, offsets: list[int | None]
) -> None:
    await folded(service, EVENTS)
    held = await rebuilt(service, settings, until={intake.SOURCE: 23})
    assert sum(len(each["counts"]) for document in held for each in document["said"].values()) == 23
    assert offsets
    assert set(offsets) == {None}


async def test_where_somebody_else_writes_the_same_documents_the_rest_is_folded_as_live(
    service: Service, settings: Settings, offsets: list[int | None]
) -> None:
    await folded(service, EVENTS)
    database = service.database("small")
    rebuild = Watched(figures_said(), database, settings, bulk_from=1)
    fold = rebuild.hands(NEVER)

    async def raced(work: Work, done: Callable[[int], None]) -> None:
        # It was empty when that was looked for, and no longer is.
        async for each in database["view_figures_1"].find({}):
            await database[f"view_{work.generation.name}"].insert_one({**each, "rev": 1, "at": {}, "said": {}})
        await fold(work, done)

    generation = await rebuild.run(silent, hands=raced)
    assert [str(each) for each in rebuild.left] == ["another process writes the same documents"]
    assert offsets
    held = await contents(database, generation.name)
    assert [each["said"] for each in held] == [each["said"] for each in await live(database)]
