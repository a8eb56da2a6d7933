"""A million events of 200,000 cases rebuilt: against the bare client, a naive handler, and what others would pick.

Invariant: everybody reads records of the same events from the same broker; ours ends when the new generation is served,
its own start and its workers' counted in; of a peer only the time between its first and its last event counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cases import EVENTS_PER_CASE, fill, variables
from benchmarks.harness import Result, at_least, own_settings
from benchmarks.peers.running import PEERS, PeerFailed, contest
from benchmarks.rebuilding import contend
from chassis import mongo
from chassis.generations import Generations
from chassis.settings import Settings
from deploy.cli.workers import cores
from deploy.local.engines import Engines
from services.reporting.views import placement

CASES, ROUNDS = 200_000, 3
NAIVE_EVENTS = 20_000
PEER_CASES = 40_000
PEER_TOPIC = "dugnad.peers.v1"
LONG_CASES, LONG_EXTRA = 40_000, 20
"""As many events, five times as many per case."""
MOST_MEGABYTES = 300
ONE, ALL = 0.35, 0.6
TIMES_NAIVE, TIMES_PEERS = 50, 4
MEGABYTE = 1_000_000
AS_MANY_AS_IT_IS_WORTH = 0


async def rebuilt(variables: Mapping[str, str], workers: int, cases: int) -> dict[str, Any]:
    """One rebuild. Raises ValueError where it did not write a document for each case."""
    found = await contend(variables, "rebuild", str(workers))
    if found["documents"] != cases:
        raise ValueError(f"{found['documents']} documents of {cases}")
    return found


def _rate(found: Mapping[str, Any]) -> float:
    return float(found["events"]) / float(found["seconds"])


async def filled(engines: Engines, cases: int, extra: int = 0, into: str | None = None) -> Settings:
    """Settings with topics of their own that are full, and a first generation that is empty."""
    settings = own_settings(engines)
    await fill(settings, cases, extra, into)
    client = mongo.connect(settings)
    database = mongo.database(client, settings.database("reporting"))
    await Generations(database, placement.name, placement.version).first()
    client.close()
    return settings


async def measure(engines: Engines) -> list[Result]:
    """The rows of `rebuild`."""
    settings = await filled(engines, CASES)
    these = variables(settings)
    taken: dict[str, list[dict[str, Any]]] = {"raw": [], "one": [], "all": []}
    for _ in range(ROUNDS):
        taken["raw"].append(await contend(these, "raw"))
        taken["one"].append(await rebuilt(these, 1, CASES))
        taken["all"].append(await rebuilt(these, AS_MANY_AS_IT_IS_WORTH, CASES))
    rates = {name: statistics.median(map(_rate, runs)) for name, runs in taken.items()}
    naive = _rate(await contend(these, "naive", str(NAIVE_EVENTS)))
    more = {"events": CASES * EVENTS_PER_CASE, "cases": CASES, "rounds": ROUNDS}
    most = {**more, "workers": len(taken["all"][0]["peaks"])}
    unit = "events/s"
    return [
        at_least("rebuild, one process, against the bare client", rates["one"], unit, rates["raw"], ONE, **more),
        at_least("rebuild, all cores, against the bare client", rates["all"], unit, rates["raw"], ALL, **most),
        at_least(
            "rebuild, all cores, against a naive handler and upsert per event", rates["all"], unit, naive, TIMES_NAIVE,
            **most, baseline_events=NAIVE_EVENTS,
        ),
        *await _memory(engines, taken),
        *await _peers(engines, cores()),
    ]  # fmt: skip


async def _memory(engines: Engines, taken: Mapping[str, list[dict[str, Any]]]) -> list[Result]:
    settings = await filled(engines, LONG_CASES, LONG_EXTRA)
    long = await rebuilt(variables(settings), 1, LONG_CASES)
    one = max(max(each["peaks"]) for each in taken["one"])
    together = max(sum(each["peaks"]) for each in taken["all"])
    grown = {
        "events_per_case": EVENTS_PER_CASE,
        f"megabytes_at_{EVENTS_PER_CASE + LONG_EXTRA}_events_per_case": round(long["peaks"][0] / MEGABYTE),
        "events_of_those": long["events"],
    }
    target = f"<= {MOST_MEGABYTES}"
    return [
        Result(
            "rebuild, peak memory of one process", one / MEGABYTE, "MB", None, target,
            one <= MOST_MEGABYTES * MEGABYTE, grown,
        ),
        Result(
            "rebuild, peak memory of all processes together, what they share counted in each", together / MEGABYTE,
            "MB", None, target, together <= MOST_MEGABYTES * MEGABYTE,
        ),
    ]  # fmt: skip


async def _peers(engines: Engines, workers: int) -> list[Result]:
    settings = await filled(engines, PEER_CASES)
    rebuilds = [await rebuilt(variables(settings), AS_MANY_AS_IT_IS_WORTH, PEER_CASES) for _ in range(ROUNDS)]
    ours = statistics.median(map(_rate, rebuilds))
    events = PEER_CASES * EVENTS_PER_CASE
    more = {"events": events, "workers": workers, "own_workers": len(rebuilds[0]["peaks"])}
    results = []
    for peer in PEERS:
        name = f"rebuild, all cores, against {peer.title}"
        own = own_settings(engines)
        await fill(own, PEER_CASES, into=PEER_TOPIC)
        try:
            with TemporaryDirectory() as folder:
                rate = await contest(peer, own, own.topic(PEER_TOPIC), events, workers, Path(folder))
        except PeerFailed as failed:
            target = f">= {TIMES_PEERS} x the baseline"
            results.append(Result(name, ours, "events/s", None, target, met=False, more={"note": str(failed)}))
            continue
        results.append(at_least(name, ours, "events/s", rate, TIMES_PEERS, **more, peer=peer.requirement))
    return results
