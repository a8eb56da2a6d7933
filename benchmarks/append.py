"""Appending commits: group commit with claims, against a naive log and against a bare insert_many.

Invariant: all contestants store documents of the same size, majority and journal, on the same engine in the same run.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from datetime import date
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.harness import Result, Stopwatch, at_least, in_turns, logs_to_stderr, own_settings, percentile
from chassis import mongo
from chassis.clock import Clock
from chassis.decisions import Answer
from chassis.eventlog import EventLog, NewCommit
from chassis.ids import new_id
from chassis.mongo import Collection, DuplicateKeyError
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.topics import ensure_topics
from contracts import intake
from deploy.local.engines import Engines

WRITERS = 64
SECONDS = 4.0
ROUNDS = 3
PROCESSES = 3
Latencies = list[float]


def commit(subject: str, version: int) -> NewCommit:
    """A commit of about 600 bytes, as a small command makes it."""
    org_number, _, year = subject.removeprefix("workforce:").partition("-")
    event = intake.WorkforceReported(
        org_number=org_number, year=int(year), head_count=version, reported_on=date(2025, 1, 13)
    )
    return NewCommit(
        command=f"command:{new_id()}",
        command_hash=b"x" * 32,
        reads={subject: version},
        events=[event],
        answer=Answer({"id": subject}, f"/workforce-reports/{org_number}/{year}", subject),
        actor="benchmark",
        correlation="benchmark",
    )


def log_of(settings: Settings, name: str) -> EventLog:
    """An event log on a database of its own."""
    database = mongo.database(mongo.connect(settings), settings.database(name))
    return EventLog(database, intake.SOURCE, intake.TOPIC, (intake.WorkforceReported,), Clock())


async def write_for(eventlog: EventLog, first: int, seconds: float) -> Latencies:
    """So many writers, each on its own subject, until the time is over; the latency of each commit."""
    latencies: Latencies = []
    watch = Stopwatch()

    async def writer(number: int) -> None:
        subject, version = f"workforce:{first + number}-2025", 0
        while watch.seconds < seconds:
            begun = watch.seconds
            await eventlog.append(commit(subject, version))
            latencies.append(watch.seconds - begun)
            version += 1

    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return latencies


async def grouped(engines: Engines, latencies: Latencies) -> float:
    """Commits per second through the event log."""
    eventlog = log_of(own_settings(engines), "intake")
    await eventlog.prepare()
    eventlog.start()
    watch = Stopwatch()
    taken = await write_for(eventlog, 100_000_000, SECONDS)
    rate = len(taken) / watch.seconds
    await eventlog.stop()
    latencies.extend(taken)
    return rate


async def naive(engines: Engines) -> float:
    """Commits per second where each request reads the last number and inserts the next, again after a conflict."""
    settings = own_settings(engines)
    commits: Collection = mongo.database(mongo.connect(settings), settings.database("naive"))["commits"]
    sample = await log_of(settings, "intake").document(commit("workforce:100000000-2025", 0))
    stored = 0
    watch = Stopwatch()

    async def writer() -> None:
        nonlocal stored
        while watch.seconds < SECONDS:
            while True:
                last = await commits.find_one({}, {"_id": 1}, sort=[("_id", -1)])
                number = 1 if last is None else last["_id"] + 1
                try:
                    await commits.insert_one({**sample, "_id": number})
                    break
                except DuplicateKeyError:
                    if watch.seconds >= SECONDS:
                        return
            stored += 1

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return stored / watch.seconds


async def bare(engines: Engines, *, indexed: bool) -> float:
    """Documents per second by insert_many of 64 of the same documents; `indexed`: with the unique index on claims."""
    settings = own_settings(engines)
    eventlog = log_of(settings, "bare")
    if indexed:
        await eventlog.prepare()
    sample = await eventlog.document(commit("workforce:100000000-2025", 0))
    stored = 0
    watch = Stopwatch()
    while watch.seconds < SECONDS:
        batch: list[dict[str, Any]] = [
            {**sample, "_id": new_id(), "claims": [new_id(), f"{new_id()}@00000001"]} for _ in range(WRITERS)
        ]
        await eventlog.commits.insert_many(batch, ordered=False)
        stored += WRITERS
    return stored / watch.seconds


def _process(settings: Settings, first: int, together: Barrier, relays: bool, results: Any) -> None:
    logs_to_stderr()

    async def work() -> Latencies:
        eventlog = log_of(settings, "intake")
        eventlog.start()
        relay = Relay(eventlog, settings)
        if relays:
            relay.start(lambda error: print(f"relay: {error}", file=sys.stderr))
        await asyncio.to_thread(together.wait)
        taken = await write_for(eventlog, first, SECONDS)
        if relays:
            await relay.stop()
        await eventlog.stop()
        return taken

    results.put(asyncio.run(work()))


async def together(engines: Engines, processes: int) -> tuple[float, list[int], Latencies]:
    """Commits per second of several processes on one log, with relays that number and publish meanwhile."""
    settings = own_settings(engines)
    await ensure_topics(settings, [intake.TOPIC])
    eventlog = log_of(settings, "intake")
    await eventlog.prepare()
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(processes), spawn.Queue()
    started = [
        spawn.Process(target=_process, args=(settings, (number + 1) * 100_000_000, barrier, True, results))
        for number in range(processes)
    ]
    for process in started:
        process.start()
    taken = [await asyncio.to_thread(results.get) for _ in started]
    for process in started:
        await asyncio.to_thread(process.join)
    latencies = [each for part in taken for each in part]
    return len(latencies) / SECONDS, [len(part) for part in taken], latencies


async def measure(engines: Engines) -> list[Result]:
    """The rows of `append`."""
    latencies: Latencies = []
    rates = await in_turns(
        ROUNDS,
        {
            "grouped": lambda: grouped(engines, latencies),
            "naive": lambda: naive(engines),
            "bare": lambda: bare(engines, indexed=False),
            "indexed": lambda: bare(engines, indexed=True),
        },
    )
    grouped_rate = rates["grouped"]
    milliseconds = {
        "p50_ms": round(percentile(latencies, 0.5) * 1000, 2),
        "p99_ms": round(percentile(latencies, 0.99) * 1000, 2),
    }
    one, _, _ = await together(engines, 1)
    three, shares, waits = await together(engines, PROCESSES)
    p99 = percentile(waits, 0.99) * 1000
    even = min(shares) / (sum(shares) / PROCESSES)
    unit = "commits/s"
    return [
        at_least("append against a naive retry per request", grouped_rate, unit, rates["naive"], 50, **milliseconds),
        at_least("append against bare insert_many with the same indexes", grouped_rate, unit, rates["indexed"], 0.5),
        at_least("append against bare insert_many without an index", grouped_rate, unit, rates["bare"], 0.5),
        at_least("append, three processes against one, relays working", three, unit, one, 1.0),
        Result(
            "append, least share of three processes",
            even,
            "of an even share",
            None,
            ">= 0.8",
            even >= 0.8,
            {"shares": shares},
        ),
        Result("append, p99 of three processes", p99, "ms", None, "<= 100", p99 <= 100),
    ]
