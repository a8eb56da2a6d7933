"""A steady projection: batches, against one load and one upsert per event.

Invariant: both fold the same records with the same fold into the same kind of documents on the same engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from pymongo import monitoring

from benchmarks.harness import Result, Stopwatch, at_least, own_settings
from chassis import mongo
from chassis.handled import MAX_RECORDS, Raw
from chassis.parking import RawRecord
from chassis.projection import Document, Projection, Record, fold_one
from chassis.projector import Projector
from chassis.reading import read_batch
from contracts import followup, intake, matching
from contracts.envelope import encode
from contracts.event import Event
from deploy.local.engines import Engines

EVENTS = 100_000
NAIVE_EVENTS = 5_000
PARTITIONS = 6
FEW_OPEN, MANY_OPEN = 100, 1_000
"""Cases that go on at the same time. With many, no batch holds two events of one case: each event is a write."""
DAY = date(2025, 1, 13)
START = datetime(2025, 1, 13, 9, tzinfo=UTC)


def case(number: int) -> list[tuple[str, str, Event]]:
    """Five events of one case: source, topic, event."""
    need, slot, match = f"N{number:08d}", f"S{number:08d}", f"M{number:08d}"
    candidate = f"C{number:08d}"
    ids = {"match_id": match, "need_id": need, "slot_id": slot, "candidate_id": candidate, "org_number": "999999999"}
    return [
        (
            intake.SOURCE,
            intake.TOPIC,
            intake.NeedRegistered(
                need_id=need, org_number="999999999", municipality="3312", occupation="5223", slot_ids=(slot,),
                intermediary="nav", hours_per_week=37.5, registered_on=DAY, promise_date=DAY + timedelta(days=28),
            ),
        ),
        (
            matching.SOURCE,
            matching.TOPIC,
            matching.CandidateMatched(
                **ids, intermediary="nav", score=80, reasons=(matching.Reason(code="occupation", points=80),),
                rule_version="1", matched_on=DAY,
            ),
        ),
        (matching.SOURCE, matching.TOPIC, matching.CandidatePresented(**ids, presented_on=DAY)),
        (
            followup.SOURCE,
            followup.TOPIC,
            followup.TrialStarted(
                **ids, trial_id=f"T{number:08d}", agreement_id=f"A{number:08d}", on=DAY, confirmed_by="employer",
                measure="work_training", end_on=DAY, days_from_need=0, within_promise=True, rule_version="1",
            ),
        ),
        (
            followup.SOURCE,
            followup.TOPIC,
            followup.TrialClosed(
                **ids, trial_id=f"T{number:08d}", agreement_id=f"A{number:08d}", on=DAY, outcome="hired",
                reason="period_completed",
            ),
        ),
    ]  # fmt: skip


def records(events: int, open_cases: int) -> Iterator[Raw]:
    """So many records, interleaved over cases as they come in a running system."""
    positions: dict[str, int] = {}
    offsets: dict[tuple[str, int], int] = {}
    for first in range(0, events // 5, open_cases):
        cases = [case(number) for number in range(first, min(first + open_cases, events // 5))]
        for step in range(5):
            for number, each in enumerate(cases):
                source, topic, event = each[step]
                partition = number % PARTITIONS
                positions[source] = positions.get(source, 0) + 1
                offset = offsets[topic, partition] = offsets.get((topic, partition), -1) + 1
                record = encode(
                    event.model_copy(update={"occurred": START}), source=source, position=positions[source],
                    recorded=START, correlation="b", causation=None, traceparent=None,
                    schema_base_url="https://dugnad.example/schemas/",
                )  # fmt: skip
                yield RawRecord(topic, partition, offset, record.key, record.value, record.headers)


def _slots(record: Record) -> Sequence[str]:
    event = record.event
    return event.slot_ids if isinstance(event, intake.NeedRegistered) else [str(getattr(event, "slot_id"))]  # noqa: B009


def _fact(_: str, document: Document | None, record: Record) -> Document:
    return {**(document or {}), type(record.event).__name__: record.event.data()}


PLACEMENT = Projection(
    "placement",
    (intake.TOPIC, matching.TOPIC, followup.TOPIC),
    (
        intake.NeedRegistered,
        matching.CandidateMatched,
        matching.CandidatePresented,
        followup.TrialStarted,
        followup.TrialClosed,
    ),
    _slots,
    _fact,
)


class Counter(monitoring.CommandListener):
    """Counts what is asked of the database."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.asked[event.command_name] = self.asked.get(event.command_name, 0) + 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not counted."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not counted."""


async def in_batches(engines: Engines, sent: Sequence[Raw]) -> tuple[float, float]:
    """Events per second, and commands to the database per batch."""
    settings = own_settings(engines)
    counter = Counter()
    client = mongo.Client(settings.mongodb_uri, event_listeners=[counter])
    projector = Projector(PLACEMENT, mongo.database(client, settings.database("reporting")))
    await projector.prepare()
    counter.asked.clear()
    watch = Stopwatch()
    batches = 0
    for first in range(0, len(sent), MAX_RECORDS):
        await projector.handle(sent[first : first + MAX_RECORDS])
        batches += 1
    rate = len(sent) / watch.seconds
    client.close()
    return rate, sum(counter.asked.values()) / batches


async def one_by_one(engines: Engines, sent: Sequence[Raw]) -> float:
    """Events per second with one load and one upsert per event."""
    settings = own_settings(engines)
    client = mongo.connect(settings)
    documents = mongo.database(client, settings.database("reporting"))["naive"]
    watch = Stopwatch()
    for raw in sent:
        for arrival in read_batch([raw], PLACEMENT.reads).arrivals:
            for key in PLACEMENT.keys(arrival.record):
                before = await documents.find_one({"_id": key})
                after = fold_one(PLACEMENT, key, before, arrival.record)
                await documents.replace_one({"_id": key}, after, upsert=True)
    rate = len(sent) / watch.seconds
    client.close()
    return rate


async def measure(engines: Engines) -> list[Result]:
    """The rows of `projection`."""
    results = []
    for open_cases in (FEW_OPEN, MANY_OPEN):
        sent = list(records(EVENTS, open_cases))
        naive = await one_by_one(engines, sent[:NAIVE_EVENTS])
        rate, commands = await in_batches(engines, sent)
        more = {
            "events": len(sent),
            "baseline_events": NAIVE_EVENTS,
            "database_commands_per_batch": round(commands, 2),
            "batch": MAX_RECORDS,
        }
        name = f"steady projection in batches, {open_cases} cases at a time"
        results.append(at_least(name, rate, "events/s", naive, 20, **more))
    return results
