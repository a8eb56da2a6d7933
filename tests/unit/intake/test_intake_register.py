"""Units of the register: from the file that comes along, and from a server that speaks the register's JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import DependencyDown
from chassis.issuer import MESTER_GRONN, NAV_DIRECTORATE
from contracts.orgnumbers import is_valid
from services.intake.registry import ENTITY_PATH, SUBUNIT_PATH, FileRegister, HttpRegister, unit_of

MAIN = {
    "organisasjonsnummer": "311122339",
    "navn": "ET DIREKTORAT",
    "naeringskode1": {"kode": "84.300", "beskrivelse": "Trygd"},
    "forretningsadresse": {"kommunenummer": "0301", "kommune": "OSLO"},
    "konkurs": False,
    "_links": {"self": {"href": "x"}},
}
SUB = {
    "organisasjonsnummer": MESTER_GRONN,
    "navn": "EN BUTIKK",
    "beliggenhetsadresse": {"kommunenummer": "3312", "kommune": "LIER"},
    "overordnetEnhet": "315486904",
}


class Register(ThreadingHTTPServer):
    """A server that answers as the register does."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            f"{ENTITY_PATH}{NAV_DIRECTORATE}": (200, MAIN),
            f"{SUBUNIT_PATH}{MESTER_GRONN}": (200, SUB),
            f"{ENTITY_PATH}310000027": (410, {"organisasjonsnummer": "310000027", "slettedato": "2024-03-01"}),
            f"{ENTITY_PATH}310000035": (200, {"unexpected": True}),
        }
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Answering)


class Answering(BaseHTTPRequestHandler):
    server: Register

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, told = self.server.answers.get(self.path, (404, {"status": 404}))
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def server() -> Iterator[Register]:
    with Register() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client(server: Register, elapsed: list[float] | None = None) -> HttpRegister:
    ticks = elapsed or [0.0]
    return HttpRegister(f"http://127.0.0.1:{server.server_port}/", elapsed=lambda: ticks[0])


async def test_a_main_unit_and_a_sub_unit_are_read_over_http(server: Register) -> None:
    register = client(server)
    main, sub = await register.unit(NAV_DIRECTORATE), await register.unit(MESTER_GRONN)
    assert main is not None
    assert sub is not None
    assert (main.kind, main.name, main.municipality, main.industry) == ("main", "ET DIREKTORAT", "0301", "84.300")
    assert (sub.kind, sub.parent, sub.municipality, sub.ended) == ("sub", "315486904", "3312", False)


async def test_a_number_that_the_register_does_not_have_is_none(server: Register) -> None:
    assert await client(server).unit("310000019") is None
    assert await client(server).unit("310000027") is None
    assert server.asked[:2] == [f"{ENTITY_PATH}310000019", f"{SUBUNIT_PATH}310000019"]


async def test_an_answer_is_kept_for_an_hour(server: Register) -> None:
    elapsed = [0.0]
    register = client(server, elapsed)
    for moment in (0.0, 3599.0):
        elapsed[0] = moment
        await register.unit(NAV_DIRECTORATE)
    assert len(server.asked) == 1
    elapsed[0] = 3600.0
    await register.unit(NAV_DIRECTORATE)
    assert len(server.asked) == 2


async def test_a_register_that_does_not_answer_as_expected_is_away(server: Register) -> None:
    register = client(server)
    with pytest.raises(DependencyDown):
        await register.unit("310000035")
    server.answers[f"{ENTITY_PATH}{NAV_DIRECTORATE}"] = (503, {})
    with pytest.raises(DependencyDown):
        await register.unit(NAV_DIRECTORATE)
    server.answers[f"{ENTITY_PATH}{NAV_DIRECTORATE}"] = (200, MAIN)
    # A fault is not kept.
    assert await register.unit(NAV_DIRECTORATE) is not None
    with pytest.raises(DependencyDown):
        await HttpRegister("http://127.0.0.1:1").unit(NAV_DIRECTORATE)


async def test_the_file_that_comes_along_works_offline_and_has_synthetic_units_alone() -> None:
    register = FileRegister()
    for number in (MESTER_GRONN, NAV_DIRECTORATE):
        assert await register.unit(number) is not None
    ended = await register.unit("310000027")
    assert ended is not None
    assert ended.ended
    for number in ("315486904", MESTER_GRONN, NAV_DIRECTORATE, "310000027"):
        assert is_valid(number, synthetic_allowed=True)
        assert not is_valid(number)


async def test_a_file_of_ones_own_takes_the_place_of_it(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    path.write_text(json.dumps([SUB]), "utf-8")
    register = FileRegister(path)
    assert await register.unit(MESTER_GRONN) == unit_of(SUB)
    assert await register.unit(NAV_DIRECTORATE) is None
