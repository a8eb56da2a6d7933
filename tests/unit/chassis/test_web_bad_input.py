"""Bad input: a problem document that names the fields and what to do, and nothing reaches the command."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from chassis.errors import (
    Contended,
    DependencyDown,
    IdempotencyMismatch,
    LogBusy,
    LogUnavailable,
    Stale,
    TooLarge,
)
from chassis.keyring import KeyDestroyed, KeyringUnavailable
from chassis.mongo import ConnectionFailure
from chassis.requests import StrictModel
from contracts.refused import Refused
from tests.webapp import StillService, headers

JSON = {"Content-Type": "application/json"}


def errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


async def test_a_problem_document_has_all_its_members(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={"title": ""}, headers=headers())
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:dugnad:problem:invalid",
        "title": "Some fields must be corrected",
        "status": 422,
        "detail": "Correct the fields named, and send again. Nothing was stored.",
        "code": "invalid",
        "instance": f"urn:dugnad:request:{answer.headers['x-request-id']}",
        "errors": [
            {
                "pointer": "/title",
                "detail": "Give at least 1 characters, or leave the field out.",
                "code": "too_short",
            }
        ],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b'{"title": "a", "title": "b"}',
        b'{"title": "a", "count": NaN}',
        b'{"title": "a", "count": Infinity}',
        b"\xff\xfe",
        b'{"title": "\xe5"}',
        b'\xef\xbb\xbf{"title": "a"}',
        b"[" * 20_000,
        b'{"title": "a", "slots": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"title": "a", "count": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut", "empty", "twice", "nan", "infinity", "utf16", "latin1", "bom", "deep", "nested", "digits"],
)
async def test_malformed_json_is_400(client: httpx.AsyncClient, service: StillService, body: bytes) -> None:
    answer = await client.post("/things", content=body, headers=headers(**JSON))
    if body == b"":
        assert errors(answer) == {"": "missing"}
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert service.seen == []


@pytest.mark.parametrize("body", ["[]", "5", "null", '"text"'])
async def test_json_that_is_no_object_is_422(client: httpx.AsyncClient, body: str) -> None:
    assert list(errors(await client.post("/things", content=body, headers=headers(**JSON)))) == [""]


async def test_more_than_64_kib_is_413_by_the_announced_length(client: httpx.AsyncClient) -> None:
    body = json.dumps({"title": "a", "note": "x" * 65536})
    answer = await client.post("/things", content=body, headers=headers(**JSON))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["x-correlation-id"]


async def test_more_than_64_kib_is_413_also_when_no_length_is_announced(
    client: httpx.AsyncClient, service: StillService
) -> None:
    async def chunks() -> Any:
        for _ in range(70):
            yield b"x" * 1024

    answer = await client.post("/things", content=chunks(), headers=headers(**JSON))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert service.seen == []


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/xml", ""],
)
async def test_another_media_type_than_json_is_415(client: httpx.AsyncClient, media_type: str) -> None:
    answer = await client.post("/things", content=b'{"title": "a"}', headers=headers(Content_Type=media_type))
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_body_without_media_type_is_415(client: httpx.AsyncClient) -> None:
    request = client.build_request("POST", "/things", content=b'{"title": "a"}', headers=headers())
    request.headers.pop("content-type", None)
    assert (await client.send(request)).status_code == 415


async def test_an_unknown_route_is_404_and_a_wrong_method_405_with_allow(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await client.delete("/things", headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST", "whichever route comes first at the path"
    assert (await client.get("/livez/")).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("unknown", 1, "unknown_field"),
        ("count", "3", "not_a_number"),
        ("count", True, "not_a_number"),
        ("count", 2.5, "not_whole"),
        ("count", 1e300, "number_out_of_range"),
        ("count", 2**63, "number_out_of_range"),
        ("count", None, "not_a_number"),
        ("measure", "holiday", "not_in_list"),
        ("seen_at", "2025-01-13T10:00:00", "offset_missing"),
        ("seen_at", "2025-01-13", "not_an_instant"),
        ("seen_at", 1736759000, "not_an_instant"),
        ("seen_at", "2025-13-13T10:00:00Z", "not_an_instant"),
        ("urgent", "true", "not_a_boolean"),
        ("urgent", 1, "not_a_boolean"),
        ("title", 5, "not_text"),
        ("title", "   ", "too_short"),
        ("title", "x" * 201, "too_long"),
        ("title", "a\nb", "control_character"),
        ("title", "a\x00b", "control_character"),
        ("title", "a\u202eb", "control_character"),
        ("title", "\ud800", "control_character"),
        ("note", "x" * 2001, "too_long"),
        ("note", "a\x07b", "control_character"),
        ("slots", "x", "not_a_list"),
    ],
)
async def test_a_field_of_another_type_or_form_is_422_at_its_pointer(
    client: httpx.AsyncClient, field: str, value: object, code: str
) -> None:
    body = json.dumps({"title": "a", field: value})
    answer = await client.post("/things", content=body, headers=headers(**JSON))
    assert errors(answer) == {f"/{field}": code}


@pytest.mark.parametrize(
    ("slot", "found"),
    [
        ({}, {"/slots/1/hours_per_week": "missing"}),
        ({"hours_per_week": 5, "start_on": "13.01.2025"}, {"/slots/1/start_on": "not_a_date"}),
        ({"hours_per_week": 5, "start_on": "2025-02-30"}, {"/slots/1/start_on": "not_a_date"}),
        ({"hours_per_week": 5, "start_on": "9999-12-31"}, {"/slots/1/start_on": "date_out_of_range"}),
        ({"hours_per_week": 5, "start_on": 1736726400}, {"/slots/1/start_on": "not_a_date"}),
        ({"hours_per_week": 5, "a/b~c": 1}, {"/slots/1/a~1b~0c": "unknown_field"}),
        (7, {"/slots/1": "not_an_object"}),
    ],
)
async def test_nested_fields_are_pointed_at(client: httpx.AsyncClient, slot: object, found: dict[str, str]) -> None:
    slots = [{"hours_per_week": 37.5, "start_on": "2025-02-03"}, slot]
    assert errors(await client.post("/things", json={"title": "a", "slots": slots}, headers=headers())) == found


async def test_a_problem_never_repeats_what_was_sent(client: httpx.AsyncClient) -> None:
    thing = {"title": "Kari", "measure": "Ola", "count": "15528012345", "note": "x\x07Per", "seen_at": "Nils"}
    answer = await client.post("/things", json=thing, headers=headers())
    assert len(errors(answer)) == 4
    for sent in ("Kari", "Ola", "15528012345", "Per", "Nils"):
        assert sent not in answer.text


async def test_text_is_stored_in_nfc_and_trimmed_and_instants_in_utc(
    client: httpx.AsyncClient, service: StillService
) -> None:
    thing = {"title": "  A\u030asen ", "note": " one\r\ntwo ", "seen_at": "2025-01-13T10:00:00.123456+01:00"}
    assert (await client.post("/things", json=thing, headers=headers())).status_code == 201
    stored = service.seen[0][0]
    assert (stored.title, stored.note) == ("Åsen", "one\ntwo")
    assert stored.seen_at.isoformat() == "2025-01-13T09:00:00.123000+00:00"


async def test_sentences_about_fields_are_norwegian_for_norwegian_readers(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={}, headers=headers(Accept_Language="nb"))
    assert answer.json()["errors"] == [{"pointer": "/title", "detail": "Feltet mangler.", "code": "missing"}]


def test_a_request_model_cannot_nest_one_that_lets_unknown_fields_through() -> None:
    class Lax(BaseModel):
        a: int

    with pytest.raises(TypeError, match="must be a StrictModel"):

        class Strict(StrictModel):
            lax: list[Lax]


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Refused("slot_taken", ["/slot_id"]), 409, "slot_taken"),
        (Refused("start_too_early", ["/start_on"], status=422), 422, "start_too_early"),
        (Stale("thing:1", 1, 3, ["NeedWithdrawn"]), 409, "stale"),
        (Contended(["thing:1"]), 409, "contended"),
        (IdempotencyMismatch("command:1"), 422, "idempotency_key_reused"),
        (TooLarge("16 MB"), 413, "too_large"),
        (LogBusy("full"), 503, "busy"),
        (LogUnavailable("mongodb://user:secret@host"), 503, "engine_unavailable"),
        (DependencyDown("MongoDB at host does not answer"), 503, "engine_unavailable"),
        (ConnectionFailure("host:27017"), 503, "engine_unavailable"),
        (KeyringUnavailable("intake"), 503, "keyring_unavailable"),
        (KeyDestroyed("01A"), 404, "not_found"),
        (ZeroDivisionError("Kari Nordmann"), 500, "internal"),
    ],
)
async def test_what_a_command_raises_becomes_a_problem_without_a_leak(
    client: httpx.AsyncClient, service: StillService, raised: Exception, status: int, code: str
) -> None:
    service.raises = raised
    answer = await client.post("/things", json={"title": "a"}, headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503 or code == "contended")
    for secret in ("Kari", "secret", "host", "thing:1", "command:1"):
        assert secret not in answer.text


async def test_a_stale_change_says_what_happened_since(client: httpx.AsyncClient, service: StillService) -> None:
    service.raises = Stale("thing:1", 1, 3, ["NeedWithdrawn"])
    answer = await client.post("/things", json={"title": "a"}, headers=headers())
    problem = answer.json()
    assert (problem["version"], problem["expected_version"], problem["changed"]) == (3, 1, ["NeedWithdrawn"])
    assert answer.headers["etag"] == '"3"'


async def test_a_refusal_points_at_its_fields(client: httpx.AsyncClient, service: StillService) -> None:
    service.raises = Refused("slot_taken", ["/slot_id"])
    answer = await client.post("/things", json={"title": "a"}, headers=headers())
    assert answer.json()["errors"][0]["pointer"] == "/slot_id"


async def test_an_unexpected_error_names_only_its_request(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken", headers=headers())
    assert answer.status_code == 500
    assert "Nordmann" not in answer.text
    assert "15528012345" not in answer.text
    assert answer.json()["instance"] == f"urn:dugnad:request:{answer.headers['x-request-id']}"
