"""Log lines: one JSON object each, and nothing personal in any."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ValidationError
from pymongo.errors import BulkWriteError, DuplicateKeyError, ServerSelectionTimeoutError

from chassis.errors import DependencyDown
from chassis.logs import LEFT_OUT, bind_correlation, get_logger, say
from tests.webapp import StillService, headers, token


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_json_with_service_level_time_and_correlation(capsys: pytest.CaptureFixture[str]) -> None:
    bind_correlation("01HZZZZZZZZZZZZZZZZZZZZZZ1")
    get_logger("a.b").info("something happened", count=2)
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "something happened",
        "level": "info",
        "logger": "a.b",
        "service": "thing",
        "correlation": "01HZZZZZZZZZZZZZZZZZZZZZZ1",
        "count": 2,
    }


def test_lines_of_libraries_go_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("aiokafka.consumer").warning("heartbeat failed for %s", "group")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"]) == ("heartbeat failed for group", "aiokafka.consumer")


def test_what_a_library_says_again_and_again_is_said_once_in_a_while_with_how_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("chassis.logs.monotonic", lambda: now)
    away, library = "Unable connect to node with id %s", logging.getLogger("aiokafka.client")
    for _ in range(100):
        library.error(away, 1)
        library.error(away, 2)
        get_logger("chassis.consumer").warning("consumer_retries")
    now += 11
    library.error(away, 1)
    now += 100
    library.error(away, 2)
    said = [line["event"] for line in lines(capsys) if line["event"] != "consumer_retries"]
    one, two = "Unable connect to node with id 1", "Unable connect to node with id 2"
    assert said == [one, two, f"{one} (99 times more since then)", two]


def test_what_the_product_says_is_never_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        get_logger("chassis.consumer").warning("consumer_retries")
    assert len(lines(capsys)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "token eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJ4In0.c2ln",
        "Authorization: Bearer abc.def",
        "id 15528012345 not found",
        "id 155280 12345",
        "id 155280-12345",
        "mail to kari.nordmann@example.no failed",
        "mongodb://admin:secret@host:27017",
        "GET /needs?name=Kari",
    ],
)
def test_what_looks_like_a_secret_or_a_person_is_left_out(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("x").warning(text, more={"inner": [text]})
    out = capsys.readouterr().out
    assert out.count(LEFT_OUT) == 2
    for secret in ("eyJ", "abc.def", "12345", "kari", "secret@", "Kari"):
        assert secret not in out


def test_ids_addresses_and_counts_stay(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("x").info(
        "kept", at="mongodb://127.0.0.1:27017", need="need:01HZZZZZZZZZZZZZZZZZZZZZZ1", ms=1736759000123
    )
    assert LEFT_OUT not in capsys.readouterr().out


def test_fields_with_personal_names_are_left_out_whatever_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    class Thing:
        def __repr__(self) -> str:
            return "Kari"

    get_logger("x").info("a", body="Kari", notes=["Kari"], inner={"Phone": 1, "name": Thing()}, raw=b"Kari")
    assert "Kari" not in capsys.readouterr().out


class Person(BaseModel):
    age: int


def _validation() -> Exception:
    with pytest.raises(ValidationError) as caught:
        Person.model_validate({"age": "Kari"})
    return caught.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("Kari"), LEFT_OUT),
        (ValueError("invalid literal: 'Kari'"), LEFT_OUT),
        (DuplicateKeyError("dup key: { name: 'Kari' }"), LEFT_OUT),
        (BulkWriteError({"writeErrors": [{"op": "Kari"}]}), LEFT_OUT),
        (_validation(), "Person: age: int_parsing"),
        (ServerSelectionTimeoutError("host:27017 refused"), "host:27017 refused"),
        (ConnectionRefusedError("nothing at 9092"), "nothing at 9092"),
        (DependencyDown("Kafka at x does not answer"), "Kafka at x does not answer"),
        (RuntimeError("for kari@example.no"), f"for {LEFT_OUT}"),
    ],
)
def test_an_error_speaks_only_where_it_cannot_quote_data(error: Exception, said: str) -> None:
    assert say(error) == said


def test_an_exception_is_logged_with_type_and_place_and_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    name = "Kari Nordmann"
    try:
        try:
            int(name)
        except ValueError as error:
            raise KeyError(name) from error
    except KeyError:
        get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed too")
        logging.getLogger("z").error("failed three", exc_info=sys.exc_info())
    out = capsys.readouterr().out
    assert "Kari" not in out
    for line in out.splitlines():
        assert [each["type"] for each in json.loads(line)["error"]] == ["KeyError", "ValueError"]
    assert "test_logs.py" in out


async def test_a_request_leaves_one_line_with_its_template_and_no_path_query_or_body(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    await client.get("/things/kari-nordmann?name=Kari", headers=headers())
    await client.post("/things", json={"title": "Kari"}, headers=headers())
    await client.get("/unknown/kari")
    out = capsys.readouterr().out
    assert "kari" not in out.lower()
    assert token().rpartition(".")[0] not in out
    found = [json.loads(line) for line in out.splitlines()]
    assert [(line["method"], line["route"], line["status"]) for line in found] == [
        ("GET", "/things/{thing_id}", 404),
        ("POST", "/things", 201),
        ("GET", "unmatched", 404),
    ]
    assert all({"correlation", "request", "ms", "service"} <= line.keys() for line in found)


async def test_an_unexpected_error_is_logged_under_the_request_without_what_was_sent(
    client: httpx.AsyncClient, service: StillService, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    service.raises = ValueError("Kari Nordmann")
    answer = await client.post("/things", json={"title": "Kari"}, headers=headers())
    failed, request = lines(capsys)
    assert failed["request"] == request["request"] == answer.headers["x-request-id"]
    assert failed["error"][0]["type"] == "ValueError"
    assert "Kari" not in json.dumps([failed, request])
