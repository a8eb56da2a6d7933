"""Verdicts on commands that race with themselves, and events that the relay could not send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from time import monotonic

import pytest

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Answer, Commands, Decision, Loaded
from chassis.errors import LogUnavailable, TooLarge, Unserialisable
from chassis.eventlog import EventLog, NewCommit, StoredCommit
from chassis.settings import Settings
from contracts import intake
from contracts.refused import Refused
from tests.service.platform_helpers import INTAKE_EVENTS, context, report, workforce

SUBJECT = "workforce:1-2025"


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> AsyncIterator[EventLog]:
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    await log.prepare()
    log.start()
    yield log
    await log.stop()


def once(loaded: Mapping[str, Loaded]) -> Decision:
    """A decision that its own effect refuses."""
    if loaded[SUBJECT].version:
        raise Refused("already_reported")
    return Decision([workforce("1", 2025, 1)], Answer({"n": 1}, "/", SUBJECT))


def commit(**others: object) -> NewCommit:
    made = NewCommit(
        context().claim, b"", {SUBJECT: 0}, [workforce("1", 2025, 1)], Answer({}, "/", SUBJECT), "test", "test"
    )
    return replace(made, **others)  # type: ignore[arg-type]  # the fields of a commit


@pytest.fixture
def at_once(eventlog: EventLog, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands whose first two look for an earlier commit before either of them appends one."""
    find, both, looked = eventlog.find, asyncio.Barrier(2), 0

    async def finding(claim: str) -> StoredCommit | None:
        nonlocal looked
        looked += 1
        found = await find(claim)
        if looked <= 2:
            await both.wait()
        return found

    monkeypatch.setattr(eventlog, "find", finding)
    return Commands(eventlog)


async def test_a_command_sent_twice_at_once_is_not_refused_by_its_own_effect(at_once: Commands) -> None:
    both = await asyncio.gather(*(at_once.run(context("double"), [SUBJECT], once) for _ in range(2)))
    assert sorted(each.repeated for each in both) == [False, True]
    assert both[0].commit_id == both[1].commit_id


async def test_a_change_sent_twice_at_once_is_not_stale_by_its_own_effect(
    eventlog: EventLog, at_once: Commands
) -> None:
    await eventlog.append(commit())
    both = await asyncio.gather(*(report(at_once, "1", 2, key="double", if_match=1) for _ in range(2)))
    assert sorted(each.repeated for each in both) == [False, True]


async def test_a_command_whose_last_try_lost_to_itself_in_another_process_gets_the_first_answer(
    eventlog: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Commands(eventlog), Commands(eventlog)
    monkeypatch.setattr("chassis.commands.TRIES", 1)
    append = eventlog.append

    async def overtaken(new: NewCommit) -> object:
        monkeypatch.setattr(eventlog, "append", append)
        await there.run(context("double"), [SUBJECT], once)
        return await append(new)

    monkeypatch.setattr(eventlog, "append", overtaken)
    assert (await here.run(context("double"), [SUBJECT], once)).repeated


async def test_a_command_that_took_effect_is_answered_though_its_place_cannot_be_read(
    eventlog: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_: str) -> int | None:
        raise mongo.ConnectionFailure("planted")

    monkeypatch.setattr(eventlog.ledger, "last_position", down)
    done = await report(Commands(eventlog), "1", 1, wait=1.0)
    assert (done.version, done.position) == (1, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": [workforce("æ", 2025, 1)]},
        {"events": [workforce("1\n", 2025, 1)]},
        {"correlation": "blåbær"},
        {"causation": "a\tb"},
        {"traceparent": ""},
        {"business_keys": ("mail:a@b",)},
        {"events": [workforce("1", 2025, 2**80)]},
    ],
    ids=["subject", "line break", "correlation", "causation", "empty", "a key like a version", "a number too large"],
)
async def test_what_the_relay_could_not_send_or_number_is_refused_at_append(
    eventlog: EventLog, wrong: dict[str, object]
) -> None:
    with pytest.raises(Unserialisable):
        await eventlog.append(commit(**wrong))
    assert await eventlog.commits.count_documents({}) == 0


async def test_a_command_that_has_been_on_its_way_for_too_long_is_not_sent_to_the_database(eventlog: EventLog) -> None:
    """Its client may have been refused elsewhere meanwhile: it must not take effect after that."""
    with pytest.raises(LogUnavailable):
        await eventlog.append(commit(deadline=monotonic() - 0.001))
    assert await eventlog.commits.count_documents({}) == 0
    commands = Commands(eventlog)
    with pytest.raises(LogUnavailable):
        await commands.run(context(deadline=monotonic() - 0.001), [SUBJECT], once)
    assert await eventlog.commits.count_documents({}) == 0
    await commands.run(context(), [SUBJECT], once)
    assert await eventlog.commits.count_documents({}) == 1


async def test_headers_count_when_an_event_is_measured(eventlog: EventLog) -> None:
    with pytest.raises(TooLarge):
        await eventlog.append(commit(correlation="c" * 800_000))


async def test_a_stopped_log_refuses_and_keeps_nobody_waiting(database: mongo.Database) -> None:
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    log.start()
    await log.stop()
    with pytest.raises(LogUnavailable):
        async with asyncio.timeout(2):
            await log.append(commit())
