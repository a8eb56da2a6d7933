"""The driver: kills, pauses and restarts services, broker and database in turn, as one seed says.

Invariant: only processes that were started here are signalled; whatever is paused or killed runs again when a fault is
over, and a service that ended by itself is started again, as any supervisor of processes does.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx

from chassis.relay import LEASE_SECONDS
from deploy.local.documents import EmbeddedDocuments
from deploy.local.engines import Engines
from deploy.local.kafka import EmbeddedKafka
from deploy.local.processes import LocalFault, until
from deploy.local.services import Replica, Services
from tests.chaos.commands import REQUEST_SECONDS

LOOK_SECONDS = 0.1
AWAY_SECONDS = (0.3, 1.5)
"""How long what was killed stays away."""
ENGINE_PAUSE_SECONDS = (1.0, 3.0)
METRICS_SECONDS = 0.5
READY_SECONDS = 90.0
_DROPPED = "dugnad_projection_records_total{"
_REJOINS = "dugnad_consumer_rejoins_total{"
_RELAY = "dugnad_relay_active{"

Fault = Callable[[], Awaitable[None]]


class Faults:
    """Does harm to one running system. What was done is counted in `done`."""

    def __init__(self, engines: Engines, services: Services, chance: random.Random) -> None:
        self._engines, self._services, self._chance = engines, services, chance
        self._held: set[str] = set()
        """Replicas that are down on purpose; the supervisor leaves them."""
        self._counters: dict[tuple[str, int], dict[str, float]] = {}
        """Counters by process: what a killed one had counted when it was last looked at."""
        self._supervised = True
        self.done: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        """How often a service ended by itself, by exit code and what it said last."""

    @property
    def duplicates_dropped(self) -> int:
        """Records that projections dropped as known, as far as their counters could be read."""
        return int(sum(each.get("dropped", 0) for each in self._counters.values()))

    @property
    def consumers_rejoined(self) -> int:
        """Times that a consumer stood still and was made anew, as far as it could be read."""
        return int(sum(each.get("rejoins", 0) for each in self._counters.values()))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Supervise the services and read their counters while the block runs."""
        tasks = [asyncio.create_task(self._supervise()), asyncio.create_task(self._count())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    def deck(self) -> list[Fault]:
        """Each kind of fault, shuffled, to be done one after the other. Engines in containers are not paused."""
        faults: list[Fault] = [self.kill_service, self.kill_service, self.pause_service, self.restart_service]
        faults += [self.kill_broker, self.kill_database]
        if isinstance(self._engines.kafka, EmbeddedKafka) and isinstance(self._engines.documents, EmbeddedDocuments):
            faults += [self.pause_broker, self.pause_database]
        self._chance.shuffle(faults)
        return faults

    async def kill_service(self) -> None:
        """SIGKILL; it is started again after a moment."""
        replica = self._any()
        with self._holding(replica):
            await replica.process.kill()
            self.done["services killed"] += 1
            await self._away()
            replica.process.start()

    async def restart_service(self) -> None:
        """SIGTERM, and started again: what a new version does to each process."""
        replica = self._any()
        with self._holding(replica):
            await replica.process.stop()
            self.done["services restarted"] += 1
            replica.process.start()

    async def pause_service(self) -> None:
        """SIGSTOP for longer than a lease and than a client waits; preferably a process whose relay holds a lease."""
        relays = [each for each in self._services.replicas if self._seen(each).get("relay")]
        replica = self._chance.choice(relays) if relays else self._any()
        with _paused(replica.process.pid):
            self.done["services paused"] += 1
            await asyncio.sleep(max(LEASE_SECONDS, REQUEST_SECONDS) + self._chance.uniform(0.5, 2.0))

    async def kill_broker(self) -> None:
        """SIGKILL; it comes back on its data."""
        await self._engines.kill_kafka()
        self.done["broker killed"] += 1
        await self._away()
        await self._engines.restart_kafka()

    async def pause_broker(self) -> None:
        """SIGSTOP: connections stay, and nobody answers."""
        assert isinstance(self._engines.kafka, EmbeddedKafka)
        with _paused(self._engines.kafka.pid):
            self.done["broker paused"] += 1
            await asyncio.sleep(self._chance.uniform(*ENGINE_PAUSE_SECONDS))

    async def kill_database(self) -> None:
        """SIGKILL; it comes back on its data."""
        await self._engines.kill_documents()
        self.done["database killed"] += 1
        await self._away()
        await self._engines.restart_documents()

    async def pause_database(self) -> None:
        """SIGSTOP: connections stay, and nobody answers."""
        assert isinstance(self._engines.documents, EmbeddedDocuments)
        with _paused(self._engines.documents.pid):
            self.done["database paused"] += 1
            await asyncio.sleep(self._chance.uniform(*ENGINE_PAUSE_SECONDS))

    async def _away(self) -> None:
        await asyncio.sleep(self._chance.uniform(*AWAY_SECONDS))

    def _any(self) -> Replica:
        return self._chance.choice(self._services.replicas)

    @contextmanager
    def _holding(self, replica: Replica) -> Iterator[None]:
        self._held.add(replica.process.name)
        try:
            yield
        finally:
            self._held.discard(replica.process.name)

    async def stop_services(self) -> None:
        """All of them, in order; they stay away until `start_services`."""
        self._supervised = False
        await self._services.stop()

    async def start_services(self) -> None:
        """All that do not run, until they are ready."""
        for replica in self._services.replicas:
            if not replica.process.alive:
                replica.process.start()
        self._supervised = True
        async with httpx.AsyncClient(timeout=2.0) as client:
            if not await until(lambda: self._all_ready(client), READY_SECONDS):
                raise LocalFault(f"not all services are ready after {READY_SECONDS:.0f} s")

    async def _all_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            answers = await asyncio.gather(*(client.get(f"{each.url}/readyz") for each in self._services.replicas))
        except httpx.TransportError:
            return False
        return all(answer.status_code == httpx.codes.OK for answer in answers)

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for replica in self._services.replicas if self._supervised else ():
                code = replica.process.exit_code
                if code is not None and replica.process.name not in self._held:
                    self.ended[f"code {code}: {_last_line(replica)}"] += 1
                    await asyncio.sleep(LOOK_SECONDS)
                    replica.process.start()

    async def _count(self) -> None:
        async with httpx.AsyncClient(timeout=1.0) as client:
            while True:
                await asyncio.gather(*(self._read(client, each) for each in self._services.replicas))
                await asyncio.sleep(METRICS_SECONDS)

    async def _read(self, client: httpx.AsyncClient, replica: Replica) -> None:
        pid = replica.process.pid
        try:
            text = (await client.get(replica.metrics_url)).text
        except httpx.TransportError:
            return
        if pid is None or pid != replica.process.pid:
            return
        counted = {"dropped": 0.0, "relay": 0.0, "rejoins": 0.0}
        for line in text.splitlines():
            if line.startswith(_DROPPED) and 'outcome="dropped"' in line:
                counted["dropped"] += float(line.rpartition(" ")[2])
            elif line.startswith(_RELAY):
                counted["relay"] += float(line.rpartition(" ")[2])
            elif line.startswith(_REJOINS):
                counted["rejoins"] += float(line.rpartition(" ")[2])
        self._counters[replica.process.name, pid] = counted

    def _seen(self, replica: Replica) -> Mapping[str, float]:
        return self._counters.get((replica.process.name, replica.process.pid or 0), {})


def _last_line(replica: Replica) -> str:
    lines = replica.process.log.read_text(errors="replace").splitlines()
    return lines[-1][:200] if lines else "nothing"


@contextmanager
def _paused(pid: int | None) -> Iterator[None]:
    if pid is None:
        raise LocalFault("nothing to pause: it does not run")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
