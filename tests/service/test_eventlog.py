"""The commit log: claims, verdicts, repeated commands, sealed parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import date

import pytest

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Answer, Commands, Decision, Loaded
from chassis.errors import Contended, IdempotencyMismatch, LogBusy, Stale, TooLarge, Unserialisable
from chassis.eventlog import Conflict, EventLog, NewCommit, Stored
from chassis.keyring import OwnKeyring
from chassis.settings import Settings
from chassis.writer import MAX_WAITING
from contracts import intake
from contracts.refused import Refused
from deploy.local.engines import Engines
from tests.service.platform_helpers import INTAKE_EVENTS, context, report, until, workforce

CANARY = "Kanarifugl Hemmelig"


@pytest.fixture
async def eventlog(database: mongo.Database, settings: Settings) -> AsyncIterator[EventLog]:
    keyring = OwnKeyring(mongo.database(database.client, settings.database("keyring")))
    log = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock(), keyring)
    await log.prepare()
    log.start()
    yield log
    await log.stop()


def commit(subject: str, version: int, *, keys: tuple[str, ...] = ()) -> NewCommit:
    """A commit on `workforce:{org}-{year}` from a state that the caller names."""
    org_number, _, year = subject.removeprefix("workforce:").partition("-")
    made = context()
    return NewCommit(
        command=made.claim,
        command_hash=b"",
        reads={subject: version},
        events=[workforce(org_number, int(year), version)],
        answer=Answer({}, "/", subject),
        actor="test",
        correlation="test",
        business_keys=keys,
    )


async def test_two_decisions_from_the_same_state_cannot_both_be_stored(eventlog: EventLog) -> None:
    outcomes = await asyncio.gather(*(eventlog.append(commit("workforce:9-2025", 0)) for _ in range(20)))
    assert sum(isinstance(each, Stored) for each in outcomes) == 1
    assert sum(isinstance(each, Conflict) for each in outcomes) == 19
    assert await eventlog.version("workforce:9-2025") == 1


async def test_each_commit_of_a_batch_gets_its_own_verdict(eventlog: EventLog) -> None:
    await eventlog.append(commit("workforce:1-2025", 0))
    outcomes = await asyncio.gather(*(eventlog.append(commit(f"workforce:{n % 10}-2025", 0)) for n in range(1, 11)))
    assert [isinstance(each, Conflict) for each in outcomes] == [True] + [False] * 9
    assert await eventlog.commits.count_documents({}) == 10


async def test_a_commit_that_claims_several_subjects_is_refused_for_any_one_of_them(eventlog: EventLog) -> None:
    both = replace(commit("workforce:1-2025", 0), reads={"workforce:1-2025": 0, "workforce:2-2025": 0})
    assert isinstance(await eventlog.append(commit("workforce:2-2025", 0)), Stored)
    assert isinstance(await eventlog.append(both), Conflict)
    assert await eventlog.version("workforce:1-2025") == 0


async def test_a_business_key_is_taken_once(eventlog: EventLog) -> None:
    assert isinstance(await eventlog.append(commit("workforce:1-2025", 0, keys=("org:1",))), Stored)
    assert isinstance(await eventlog.append(commit("workforce:2-2025", 0, keys=("org:1",))), Conflict)


async def test_a_subject_does_not_see_the_events_of_one_whose_name_it_begins(eventlog: EventLog) -> None:
    await eventlog.append(commit("workforce:1-2025", 0))
    await eventlog.append(commit("workforce:1-20250", 0))
    loaded = await eventlog.load(["workforce:1-2025", "workforce:1-20250", "workforce:1-202"])
    assert [each.version for each in loaded.values()] == [1, 1, 0]


async def test_the_same_key_with_another_body_is_refused(eventlog: EventLog) -> None:
    commands = Commands(eventlog)
    await report(commands, "1", 10, key="k", body=b'{"n":10}')
    with pytest.raises(IdempotencyMismatch):
        await report(commands, "1", 11, key="k", body=b'{"n":11}')
    assert await eventlog.commits.count_documents({}) == 1


async def test_a_repeated_command_is_answered_before_its_own_effect_could_refuse_it(eventlog: EventLog) -> None:
    commands = Commands(eventlog)

    def only_once(loaded: Mapping[str, Loaded]) -> Decision:
        if loaded["workforce:1-2025"].version:
            raise Refused("already_reported")
        return Decision([workforce("1", 2025, 1)], Answer({"n": 1}, "/", "workforce:1-2025"))

    first = await commands.run(context("k"), ["workforce:1-2025"], only_once)
    again = await commands.run(context("k"), ["workforce:1-2025"], only_once)
    assert again.repeated
    assert again.commit_id == first.commit_id
    with pytest.raises(Refused):
        await commands.run(context("other"), ["workforce:1-2025"], only_once)


async def test_a_stale_command_is_told_what_changed_since(eventlog: EventLog) -> None:
    commands = Commands(eventlog)
    await report(commands, "1", 10)
    await report(commands, "1", 20, if_match=1)
    with pytest.raises(Stale) as stale:
        await report(commands, "1", 30, if_match=1)
    assert (stale.value.version, stale.value.changed) == (2, ("WorkforceReported",))


async def test_two_processes_that_change_one_subject_both_get_through(eventlog: EventLog) -> None:
    """Two runners do not share their locks, as two processes do not."""
    runners = Commands(eventlog), Commands(eventlog)
    await asyncio.gather(*(report(runners[n % 2], "1", n) for n in range(12)))
    assert await eventlog.version("workforce:1-2025") == 12


async def test_a_command_that_loses_every_race_is_refused_and_stores_nothing(
    eventlog: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands, other = Commands(eventlog), Commands(eventlog)
    seen: list[int] = []

    def overtaken(loaded: Mapping[str, Loaded]) -> Decision:
        seen.append(loaded["workforce:1-2025"].version)
        return Decision([workforce("1", 2025, 99)], Answer({}, "/", "workforce:1-2025"))

    append = eventlog.append

    async def overtaking(commit: NewCommit) -> Stored | Conflict:
        if commit.events[0].data()["head_count"] == 99:
            await report(other, "1", len(seen))
        return await append(commit)

    monkeypatch.setattr(eventlog, "append", overtaking)  # another process that is always a little faster
    with pytest.raises(Contended):
        await commands.run(context(), ["workforce:1-2025"], overtaken)
    assert seen == list(range(6))
    assert await eventlog.version("workforce:1-2025") == 6


async def test_a_client_that_hangs_up_while_its_command_waits_does_no_harm_to_the_others(eventlog: EventLog) -> None:
    commands = Commands(eventlog)
    tasks = [asyncio.create_task(report(commands, str(n), n)) for n in range(60)]
    for rounds in range(60):
        await asyncio.sleep(0)
        if rounds % 3 == 0:
            tasks[rounds].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    done = [each for each in outcomes if not isinstance(each, BaseException)]
    assert all(isinstance(each, asyncio.CancelledError) for each in outcomes if isinstance(each, BaseException))
    assert len(done) >= 40
    assert (await report(commands, "after", 1)).version == 1


async def test_a_full_queue_refuses_and_stores_nothing(database: mongo.Database) -> None:
    idle = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    waiting = [asyncio.create_task(idle.append(commit(f"workforce:{n}-2025", 0))) for n in range(MAX_WAITING)]
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(LogBusy):
        await idle.append(commit("workforce:one-2025", 0))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_event_that_the_broker_could_not_carry_is_refused_at_append(eventlog: EventLog) -> None:
    large = intake.NeedWithdrawn(
        need_id="N", org_number="1", slot_ids=("S" * 800_000,), reason="other", withdrawn_on=date(2025, 1, 13)
    )
    with pytest.raises(TooLarge):
        await eventlog.append(replace(commit("workforce:1-2025", 0), events=[large]))
    assert await eventlog.commits.count_documents({}) == 0


async def test_an_event_that_is_not_plain_json_is_refused_at_append(eventlog: EventLog) -> None:
    need = intake.NeedRegistered(
        need_id="N",
        org_number="1",
        municipality="3312",
        occupation="5223",
        slot_ids=(),
        intermediary="nav",
        hours_per_week=37.5,
        registered_on=date(2025, 1, 13),
        promise_date=date(2025, 2, 10),
    ).model_copy(update={"hours_per_week": float("nan")})
    with pytest.raises(Unserialisable):
        await eventlog.append(replace(commit("workforce:1-2025", 0), events=[need]))
    assert await eventlog.commits.count_documents({}) == 0


async def test_a_sealed_part_is_ciphertext_in_the_log_and_opens_with_the_persons_key(eventlog: EventLog) -> None:
    assert isinstance(eventlog.keyring, OwnKeyring)
    await eventlog.keyring.create("C1")
    revoked = intake.ReadinessRevoked(candidate_id="C1", reason="other", sealed={"note": CANARY})
    commands = Commands(eventlog)

    def decide(_: Mapping[str, Loaded]) -> Decision:
        return Decision([revoked], Answer({}, "/", "candidate:C1"))

    await commands.run(context(body=CANARY.encode()), ["candidate:C1"], decide, person="C1")
    stored = await eventlog.commits.find_one({})
    assert CANARY not in str(stored)
    closed = (await eventlog.load(["candidate:C1"]))["candidate:C1"].events[0]
    opened = (await eventlog.load(["candidate:C1"], unseal=True))["candidate:C1"].events[0]
    assert closed.sealed is None
    assert opened.sealed == {"note": CANARY}
    await eventlog.keyring.destroy("C1")
    erased = (await eventlog.load(["candidate:C1"], unseal=True))["candidate:C1"].events[0]
    assert erased.sealed is None
    assert erased.data() == revoked.data()


async def test_what_was_acknowledged_before_the_database_was_killed_is_there_once(
    engines: Engines, eventlog: EventLog
) -> None:
    if not engines.can_kill:
        pytest.skip("these engines are not ours to kill; tests/engines asserts that the embedded ones are")
    commands = Commands(eventlog)
    stored = 0

    async def client(number: int) -> None:
        nonlocal stored
        for n in range(15):
            await report(commands, str(number), n)
            stored += 1

    clients = asyncio.gather(*(client(number) for number in range(8)))

    async def some_are_stored() -> bool:
        return stored >= 20

    await until(some_are_stored, "20 commands")
    await engines.kill_documents()
    await engines.restart_documents()
    await clients
    versions = [await eventlog.version(f"workforce:{number}-2025") for number in range(8)]
    assert versions == [15] * 8
    assert await eventlog.commits.count_documents({}) == 120
