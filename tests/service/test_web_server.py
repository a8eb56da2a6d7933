"""The web of a service on real sockets, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.webapp import DEV_KEY, headers

ROOT = Path(__file__).parents[2]
SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def begin(**more: str) -> Process:
    environment = {
        **os.environ,
        "DUGNAD_ENVIRONMENT": "development",
        "DUGNAD_DEV_ISSUER_KEY": DEV_KEY,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "MONGODB_URI": "mongodb://127.0.0.1:1",
        **more,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.webprocess", cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE
    )


async def end(process: Process) -> tuple[int, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@dataclass
class Running:
    process: Process
    address: str
    metrics: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    metrics = free_port()
    process = await begin(DUGNAD_METRICS_PORT=str(metrics))
    assert process.stdout is not None
    try:
        while True:
            line = json.loads(await asyncio.wait_for(process.stdout.readline(), SECONDS))
            if line["event"] == "listening":
                break
        yield Running(process, line["at"], f"http://127.0.0.1:{metrics}/metrics")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await end(process)


@pytest.fixture(scope="module")
async def thing() -> AsyncIterator[Running]:
    async with running() as thing:
        yield thing


async def raw(thing: Running, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", thing.port)
    writer.write(sent)
    await writer.drain()
    # To its end: head and body may come apart.
    answer = b""
    async with asyncio.timeout(SECONDS):
        while part := await reader.read(65536):
            answer += part
    writer.close()
    return answer


async def test_a_command_and_its_answer_travel_over_a_socket(thing: Running) -> None:
    async with httpx.AsyncClient(base_url=thing.address) as client:
        answer = await client.post("/things", json={"title": "Florist"}, headers=headers())
        assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
        assert "server" not in answer.headers
        head = await client.head("/livez")
        assert (head.status_code, head.content) == (200, b"")


async def test_a_chunked_body_is_cut_at_64_kib_before_it_ends(thing: Running) -> None:
    start = b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    # One byte more than allowed, and not one that nobody reads: the system would answer that with a reset.
    answer = await raw(thing, start + chunk * 16 + b"1000\r\nx")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in answer


async def test_a_client_that_hangs_up_while_it_sends_harms_nobody(thing: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", thing.port)
    writer.write(b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert not await reader.read()
    async with httpx.AsyncClient(base_url=thing.address) as client:
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"BREW /things HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /things/%00%ff%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /things?limit=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /things HTTP/1.1\r\nHost: x\r\nCookie: dugnad_session=\xff; dugnad_language=xx\r\n\r\n",
    ],
    ids=["no http", "length", "method", "path", "query", "token", "cookie"],
)
async def test_nonsense_on_the_socket_is_the_clients_error(thing: Running, sent: bytes) -> None:
    assert re.match(rb"HTTP/1.1 4\d\d ", await raw(thing, sent))


async def test_counters_are_on_their_own_port_by_template(thing: Running) -> None:
    async with httpx.AsyncClient() as client:
        await client.get(f"{thing.address}/things/kari-nordmann", headers=headers())
        counters = (await client.get(thing.metrics)).text
        assert (await client.get(f"{thing.address}/metrics")).status_code == 404
    wanted = 'dugnad_http_requests_total{method="GET",route="/things/{thing_id}",service="thing",status="404"}'
    assert wanted in counters
    assert "kari" not in counters


async def test_a_signal_lets_the_service_stop_in_order() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        async with running() as thing:
            thing.process.send_signal(number)
            code, out, err = await end(thing.process)
        assert (code, err) == (0, "")
        assert json.loads(out.splitlines()[-1])["event"] == "stopped"


async def test_what_cannot_be_reached_is_said_in_one_line_and_ends_the_process_with_3() -> None:
    message = "MongoDB at 127.0.0.1:1 does not answer: start it, or set MONGODB_URI"
    code, out, err = await end(await begin(THING_DOWN=message))
    assert (code, err) == (3, f"thing: {message}\n")
    assert "Traceback" not in out


async def test_a_port_in_use_is_said_in_one_line(thing: Running) -> None:
    code, _, err = await end(await begin(DUGNAD_PORT=str(thing.port)))
    assert code == 3
    assert err.splitlines() == [err.strip()]
    assert f"127.0.0.1:{thing.port}" in err


async def test_a_development_process_without_issuer_key_says_what_to_set() -> None:
    code, _, err = await end(await begin(DUGNAD_DEV_ISSUER_KEY=""))
    assert code == 3
    assert "DUGNAD_DEV_ISSUER_KEY" in err
    assert len(err.splitlines()) == 1
