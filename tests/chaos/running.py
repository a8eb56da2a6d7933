"""One run: a system, a load, faults, and then the question whether everything is there, once and in order.

Invariant: the check begins when nothing is on its way any more, or when that takes too long, which is then a finding.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from deploy.local.engines import Engines
from deploy.local.processes import until
from deploy.local.refill import refill
from deploy.local.services import Services
from tests.chaos.checking import findings, repeats
from tests.chaos.commands import Client, Sent
from tests.chaos.evidence import LOGS, VIEWS, Evidence, collect, logs_of
from tests.chaos.faults import Faults
from tests.chaos.load import Load

BETWEEN_FAULTS_SECONDS = (0.3, 1.5)
SETTLE_SECONDS = 90.0
QUIET_SECONDS = 2.0
POLL_SECONDS = 0.25
REACTIONS: Mapping[str, tuple[str, ...]] = {"matching": ("intake", "followup"), "followup": ("intake", "matching")}
"""Service: the sources that its reactions read."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be done. The same seed sends the same commands and does the same harm, as far as time allows."""

    seed: int
    seconds: float
    """For at least so long, and until each kind of fault has been done once."""
    journeys: int = 3
    employers: int = 2
    empty_broker: bool = False
    """Lose the broker's data in the middle of it, and fill the topics again from the logs."""


@dataclass
class Outcome:
    """The figures, and what is wrong."""

    plan: Plan
    sent: list[Sent] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    evidence: Evidence = field(default_factory=Evidence)
    findings: list[str] = field(default_factory=list)
    dropped: int = 0
    rejoined: int = 0
    mismatched: int = 0
    journeys: int = 0

    def lines(self) -> list[str]:
        """The figures, for people."""
        accepted = sum(each.accepted for each in self.sent)
        refused = Counter(
            f"{each.service}{each.route} {each.status} {each.answer.get('code')}"
            for each in self.sent
            if not each.accepted
        )
        by_code = ", ".join(f"{times} x {code}" for code, times in sorted(self.unanswered.items()))
        positions = {source: len(list(_positions(self.evidence, source))) for source in LOGS}
        events = sum(positions.values())
        return [
            f"seed {self.plan.seed}",
            f"commands {len(self.sent)}: {accepted} answered 2xx, {len(self.sent) - accepted} refused with 4xx,"
            f" {self.mismatched} more times a used key with another body refused",
            *(f"  refused {times} x {what}" for what, times in sorted(refused.items())),
            f"retries {sum(each.tries for each in self.sent) - len(self.sent)}, unanswered tries: {by_code or 'none'}",
            f"answered from an earlier commit {sum(each.replayed for each in self.sent)}",
            f"persons from registration to a check-in {self.journeys}",
            *(f"{what} {times}" for what, times in sorted(self.done.items())),
            f"services that ended by themselves {sum(self.ended.values())}",
            *(f"  {times} x {what}" for what, times in sorted(self.ended.items())),
            f"events {events} ({', '.join(f'{source} {n}' for source, n in positions.items())})",
            f"sent to a topic more than once {repeats(self.evidence)}, duplicates dropped by views {self.dropped}",
            f"consumers that stood still and were made anew {self.rejoined}",
            f"lost {sum(each.startswith('LOST') for each in self.findings)},"
            f" other findings {sum(not each.startswith('LOST') for each in self.findings)}",
        ]


async def run(engines: Engines, services: Services, prefix: str, plan: Plan, say: Say) -> Outcome:
    """The whole of it. The services are started and stopped here; the engines run before and afterwards."""
    outcome = Outcome(plan)
    # Chances of their own: how many faults there are must not change what is sent.
    client = Client(services.replicas, random.Random(f"{plan.seed} client"))
    faults = Faults(engines, services, random.Random(f"{plan.seed} faults"))
    load = Load(client, random.Random(f"{plan.seed} load"))
    began = time.monotonic()
    async with services, faults.watching():
        say(f"{len(services.replicas)} services run after {time.monotonic() - began:.0f} s")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run(journeys=plan.journeys, employers=plan.employers))
                await _do_harm(faults, engines, prefix, plan, say)
                say("everything runs again; waiting until one more person has come through all services")
                if not await until(_one_more(load), SETTLE_SECONDS):
                    outcome.findings.append(f"nobody came through all services within {SETTLE_SECONDS:.0f} s of calm")
                load.over.set()
        finally:
            await client.close()
        say("waiting until nothing is on its way")
        if not await settled(engines.mongodb_uri, prefix):
            outcome.findings.append(f"not settled within {SETTLE_SECONDS:.0f} s")
        outcome.evidence = await collect(engines.kafka_bootstrap_servers, engines.mongodb_uri, prefix)
        await asyncio.sleep(1.0)
    outcome.sent, outcome.unanswered, outcome.mismatched = client.sent, client.unanswered, client.mismatched
    outcome.done, outcome.ended, outcome.dropped = faults.done, faults.ended, faults.duplicates_dropped
    outcome.journeys, outcome.rejoined = load.journeys, faults.consumers_rejoined
    outcome.findings.extend(findings(client.sent, outcome.evidence))
    return outcome


def _one_more(load: Load) -> Callable[[], Awaitable[bool]]:
    before = load.journeys

    async def came() -> bool:
        return load.journeys > before

    return came


async def _do_harm(faults: Faults, engines: Engines, prefix: str, plan: Plan, say: Say) -> None:
    chance = random.Random(f"{plan.seed} pauses")
    began = time.monotonic()
    if plan.empty_broker:
        await asyncio.sleep(plan.seconds / 4)
        await _lose_the_broker(faults, engines, prefix, say)
    deck = faults.deck()
    while deck or time.monotonic() - began < plan.seconds:
        await asyncio.sleep(chance.uniform(*BETWEEN_FAULTS_SECONDS))
        deck = deck or faults.deck()
        fault = deck.pop()
        say(f"{time.monotonic() - began:6.1f} s  {fault.__name__.replace('_', ' ')}")
        await fault()


async def _lose_the_broker(faults: Faults, engines: Engines, prefix: str, say: Say) -> None:
    """Killed under load, empty when it comes back: the topics are filled again as `make run` does it."""
    await engines.kill_kafka()
    await asyncio.sleep(2.0)
    await engines.restart_kafka_empty()
    faults.done["broker emptied"] += 1
    await faults.stop_services()
    sent = await refill(engines.variables, prefix=prefix)
    await faults.start_services()
    say("broker emptied; filled again: " + ", ".join(f"{source} {events}" for source, events in sent.items()))


def _positions(evidence: Evidence, source: str) -> list[int]:
    return [position for page in evidence.pages.get(source, []) for position in range(page["_id"], page["next"])]


async def settled(mongodb: str, prefix: str, services: Sequence[str] = tuple(VIEWS)) -> bool:
    """Until all that is stored is published and handled, and stays so: reactions answer to what they hear."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongodb)
    deadline = time.monotonic() + SETTLE_SECONDS
    before: Any = None
    since = time.monotonic()
    try:
        while time.monotonic() < deadline:
            state = await _heads(client, prefix, logs_of(services))
            if state != before or not await _handled(client, prefix, services, state):
                before, since = state, time.monotonic()
            elif time.monotonic() - since > QUIET_SECONDS:
                return True
            await asyncio.sleep(POLL_SECONDS)
    finally:
        client.close()
    return False


async def _heads(
    client: AsyncIOMotorClient[dict[str, Any]], prefix: str, sources: Sequence[str]
) -> dict[str, int | None]:
    """The last position of each log; None where something is not numbered or not published yet."""
    heads: dict[str, int | None] = {}
    for source in sources:
        log = client[prefix + LOGS[source][0]]
        stored = await log["commits"].count_documents({})
        numbered, last = 0, 0
        async for page in log["ledger"].find({}, {"commits.id": 1, "next": 1}):
            numbered, last = numbered + len(page["commits"]), max(last, page["next"] - 1)
        lease = await log["lease"].find_one({"_id": source})
        published = 0 if lease is None else lease["published"]
        heads[source] = last if stored == numbered and published == last else None
    return heads


async def _handled(
    client: AsyncIOMotorClient[dict[str, Any]], prefix: str, services: Sequence[str], heads: dict[str, int | None]
) -> bool:
    """Whether every reader counts as many positions as there are."""
    if None in heads.values():
        return False
    for service in services:
        own = client[f"{prefix}dugnad_{service}"]
        reactions = {"reactions": REACTIONS[service]} if service in REACTIONS else {}
        for reader, sources in {**VIEWS[service], **reactions}.items():
            bits: Counter[str] = Counter()
            for name in await own.list_collection_names(filter={"name": {"$regex": f"^progress_{reader}_"}}):
                async for block in own[name].find({"bits": {"$exists": True}}):
                    bits[block["source"]] += int.from_bytes(bytes(block["bits"]), "little").bit_count()
            # The log of a service that does not run here has nothing to be read.
            if any(bits[f"dugnad/{each}"] != heads.get(f"dugnad/{each}", 0) for each in sources):
                return False
    return True
