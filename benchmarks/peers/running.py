"""Peers in environments of their own, made from pinned requirements with hashes.

Invariant: nothing of a peer is installed beside Dugnad; one that cannot be installed or does not come to its end is
told as such, and never left out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import venv
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis.settings import Settings
from deploy.local.places import CACHE
from deploy.local.processes import free_port

HERE = Path(__file__).parent
REQUIREMENTS = HERE.parents[1] / "requirements" / "peers"
LIMIT_SECONDS = 240.0


class PeerFailed(Exception):
    """It could not be installed, or did not fold everything; the text says what."""


@dataclass(frozen=True)
class Peer:
    """Somebody else's way to keep state from a topic."""

    name: str
    title: str
    most_processes: int | None = None

    @property
    def requirement(self) -> str:
        """Its package and version."""
        return (REQUIREMENTS / f"{self.name}.in").read_text("utf-8").split()[0]

    def commands(self, python: Path, settings: Settings, topic: str, workers: int, folder: Path) -> list[list[str]]:
        """One per process that is started."""
        servers = settings.kafka_bootstrap_servers
        if self.name == "bytewax":
            flow = f"bytewaxed:flow_of('{servers}', '{topic}')"
            begin = [str(python), "-m", "bytewax.run", flow, "-r", str(folder), "-s", "1", "-b", "0"]
            addresses = ";".join(f"127.0.0.1:{free_port()}" for _ in range(workers))
            return [[*begin, "-i", str(n), "-a", addresses] if workers > 1 else begin for n in range(workers)]
        program = {"quixstreams": "quix.py", "faust": "fausted.py"}[self.name]
        return [[str(python), str(HERE / program), servers, topic, str(folder / str(n))] for n in range(workers)]


PEERS = (
    Peer("quixstreams", "quixstreams with RocksDB and a changelog topic"),
    Peer("bytewax", "bytewax with recovery"),
    # With two, its group stood still for longer than an idle peer is waited for.
    Peer("faust", "faust-streaming with a changelog topic, in one process", most_processes=1),
)


async def _run(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    if process.returncode:
        raise PeerFailed(f"{' '.join(command[1:4])} ended with {process.returncode}: {said.decode()[-300:].strip()}")


async def environment(peer: Peer) -> Path:
    """The Python of the peer's environment; made where these requirements have none yet. Raises PeerFailed."""
    wanted = REQUIREMENTS / f"{peer.name}.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / "peers" / f"{peer.name}-{digest}"
    python, made = folder / "bin" / "python", folder / ".made"
    if not made.exists():
        await asyncio.to_thread(venv.create, folder, clear=True, with_pip=True)
        await _run(
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes",
             "-r", str(wanted)]
        )  # fmt: skip
        made.touch()
    return python


async def contest(peer: Peer, settings: Settings, topic: str, events: int, workers: int, folder: Path) -> float:
    """Events per second from its first to its last event, in so many processes. Raises PeerFailed."""
    python = await environment(peer)
    workers = min(workers, peer.most_processes or workers)
    if peer.name == "bytewax":
        await _run([str(python), "-m", "bytewax.recovery", str(folder), str(workers)])
    # Its modules stand beside this one; ours must not be found there.
    variables = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore"}
    started = [
        await asyncio.create_subprocess_exec(*command, env=variables, stdout=PIPE, stderr=PIPE, start_new_session=True)
        for command in peer.commands(python, settings, topic, workers, folder)
    ]
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            said = [await process.communicate() for process in started]
    except TimeoutError:
        raise PeerFailed(f"did not end within {LIMIT_SECONDS:.0f} s") from None
    finally:
        for process in started:
            if process.returncode is None:
                # Also what it started itself: each began a session of its own.
                os.killpg(process.pid, 9)
                await process.wait()
    told = [json.loads(line[line.index("{") :]) for out, _ in said for line in out.decode().splitlines() if "{" in line]
    folding = [each for each in told if each["count"]]
    if sum(each["count"] for each in folding) < events:
        error = b" ".join(err for _, err in said).decode()[-300:].strip()
        raise PeerFailed(f"folded {sum(each['count'] for each in folding)} of {events} events: {error}")
    seconds: float = max(each["last"] for each in folding) - min(each["first"] for each in folding)
    return events / seconds
