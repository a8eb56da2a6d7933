"""Conventions of every service's API: commands, versions, lists, ids, headers."""

from __future__ import annotations

import re

import httpx
import pytest

from chassis.decisions import CommandContext
from tests.webapp import FOREIGN, OWN, StillService, browser, headers, settings, thing_app, token

THING = {"title": "Florist"}


async def test_a_post_answers_201_with_location_etag_version_and_position(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json=THING, headers=headers())
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/things/{OWN}"
    assert answer.headers["etag"] == '"1"'
    assert answer.json() == {"thing_id": OWN, "version": 1, "position": 7}
    assert "idempotent-replay" not in answer.headers


async def test_a_repeated_command_says_so(client: httpx.AsyncClient) -> None:
    await client.post("/things", json=THING, headers=headers())
    answer = await client.post("/things", json=THING, headers=headers())
    assert answer.headers["idempotent-replay"] == "true"


async def test_a_post_without_idempotency_key_is_400(client: httpx.AsyncClient, service: StillService) -> None:
    sent = headers()
    del sent["Idempotency-Key"]
    answer = await client.post("/things", json=THING, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert service.seen == []


@pytest.mark.parametrize("key", ["", "with blank", "x" * 256])
async def test_an_idempotency_key_of_another_form_is_400(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/things", json=THING, headers=headers(Idempotency_Key=key))
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_malformed")


async def test_the_claim_holds_organisation_route_and_key(client: httpx.AsyncClient, service: StillService) -> None:
    for persona, key in (("employer-lier", "a"), ("employer-lier", "a"), ("employer-nav", "a"), ("employer-lier", "b")):
        await client.post("/things", json=THING, headers=headers(persona, Idempotency_Key=key))
    await client.post(f"/things/{OWN}/withdrawal", headers=headers(Idempotency_Key="a", If_Match='"1"'))
    first, again, other_organisation, other_key, other_route = (context.claim for _, context in service.seen)
    assert first == again
    assert len({first, other_organisation, other_key, other_route}) == 4
    assert re.fullmatch("command:[0-9a-f]{64}", first)


async def test_the_same_json_written_otherwise_is_the_same_command(
    client: httpx.AsyncClient, service: StillService
) -> None:
    sent = headers(Content_Type="application/json")
    for body in ('{"title": "Å", "count": 2}', '{"count":2,"title":"\\u00c5"}'):
        await client.post("/things", content=body, headers=sent)
    one, other = (context.body for _, context in service.seen)
    assert one == other


async def test_the_same_key_for_another_resource_is_another_body(
    client: httpx.AsyncClient, service: StillService
) -> None:
    for thing in (OWN, FOREIGN):
        await client.post(f"/things/{thing}/withdrawal", headers=headers(If_Match='"1"'))
    one, other = (context for _, context in service.seen)
    assert one.claim == other.claim
    assert one.body != other.body


async def test_a_change_without_if_match_is_428(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/things/{OWN}/withdrawal", headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (428, "if_match_missing")


@pytest.mark.parametrize("etag", ["1", 'W/"1"', '"1", "2"', '"x"', '"-1"', "*"])
async def test_an_if_match_of_another_form_is_400(client: httpx.AsyncClient, etag: str) -> None:
    answer = await client.post(f"/things/{OWN}/withdrawal", headers=headers(If_Match=etag))
    assert (answer.status_code, answer.json()["code"]) == (400, "if_match_malformed")


async def test_a_command_knows_who_asks_and_how_long_to_wait(client: httpx.AsyncClient, service: StillService) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = headers(If_Match='"12"', Prefer="respond-async, wait=2", traceparent=trace)
    await client.post(f"/things/{OWN}/withdrawal", headers=sent)
    context: CommandContext = service.seen[0][1]
    assert (context.actor, context.if_match, context.wait) == ("persona:employer-lier", 12, 2.0)
    assert context.traceparent == trace
    assert context.correlation == "0af7651916cd43dd8448eb211c80319c"


async def test_nobody_waits_longer_than_ten_seconds(client: httpx.AsyncClient, service: StillService) -> None:
    await client.post("/things", json=THING, headers=headers(Prefer="wait=3600"))
    assert service.seen[0][1].wait == 10.0


async def test_a_resource_carries_its_version_as_etag(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/things/{OWN}", headers=headers())
    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')


@pytest.mark.parametrize("thing", [FOREIGN, "nonsense"])
async def test_a_foreign_resource_is_404_like_an_unknown_one(client: httpx.AsyncClient, thing: str) -> None:
    answer = await client.get(f"/things/{thing}", headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_list_is_read_page_by_page_without_loss(client: httpx.AsyncClient) -> None:
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/things", params=params, headers=headers())).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == [0, 1, 2, 3, 4]
    assert cursor is None


@pytest.mark.parametrize("limit", ["0", "201", "many"])
async def test_a_limit_outside_1_to_200_is_422(client: httpx.AsyncClient, limit: str) -> None:
    answer = await client.get("/things", params={"limit": limit}, headers=headers())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "limit"


NO_TEXT, TOO_LARGE, NO_NUMBER = "WyJcdWQ4MDAiXQ", "WzFlOTld", "W05hTl0"
"""`["\\ud800"]`, `[1e99]` and `[NaN]`: no database takes them."""


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "W10", "eyIkZ3QiOiAxfQ", "W3siJGd0IjoxfV0", "æ", "WzFd\n[", "W" * 4001),
        *(NO_TEXT, TOO_LARGE, NO_NUMBER),
    ],
)
async def test_a_cursor_that_is_not_ours_is_400(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/things", params={"cursor": cursor}, headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    "given", ["01HZZZZZZZZZZZZZZZZZZZZZZ1", "0af7651916cd43dd8448eb211c80319c", "123e4567-e89b-12d3-a456-426614174000"]
)
async def test_a_correlation_id_of_the_caller_goes_through(
    client: httpx.AsyncClient, service: StillService, given: str
) -> None:
    answer = await client.post("/things", json=THING, headers=headers(X_Correlation_ID=given))
    assert answer.headers["x-correlation-id"] == given
    assert service.seen[0][1].correlation == given
    assert re.fullmatch("[0-9A-Z]{26}", answer.headers["x-request-id"])


@pytest.mark.parametrize("given", ["15528012345", "Kari Nordmann", "a b", "x" * 26, ""])
async def test_a_correlation_id_that_could_be_personal_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/livez", headers={"X-Correlation-ID": given})
    assert re.fullmatch("[0-9A-Z]{26}", answer.headers["x-correlation-id"])


async def test_the_language_of_problems_follows_accept_language_and_the_code_stays(client: httpx.AsyncClient) -> None:
    said = {}
    for language in ("nb", "en", "nn", "de", "en-GB;q=0.8, nb;q=0.4", "nb-NO, en;q=0.5"):
        answer = await client.get("/nowhere", headers={"Accept-Language": language})
        assert answer.json()["code"] == "not_found"
        said[language] = answer.json()["title"], answer.headers["content-language"]
    assert said["nb"] == said["nn"] == said["de"] == said["nb-NO, en;q=0.5"] == ("Finnes ikke", "nb")
    assert said["en"] == said["en-GB;q=0.8, nb;q=0.4"] == ("Not there", "en")


async def test_every_answer_has_security_headers_and_is_not_kept_by_caches(client: httpx.AsyncClient) -> None:
    for answer in (await client.get("/livez"), await client.get("/nowhere"), await client.get("/broken")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-store"


async def test_probes_are_open_and_name_their_faults(client: httpx.AsyncClient, service: StillService) -> None:
    assert (await client.get("/livez")).json() == {"status": "ok", "faults": []}
    service.ready.append("MongoDB does not answer")
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["faults"]) == (503, ["MongoDB does not answer"])
    assert (await client.get("/livez")).status_code == 200
    service.live.append("stuck")
    assert (await client.get("/livez")).status_code == 503


async def test_head_is_answered_like_get(client: httpx.AsyncClient) -> None:
    assert (await client.head("/livez")).status_code == 200


async def test_the_business_clock_is_set_forward_only(client: httpx.AsyncClient) -> None:
    answer = await client.put("/dev/clock", json={"now": "2025-01-13T10:00:00+01:00"})
    assert answer.json() == {"now": "2025-01-13T09:00:00.000Z", "today": "2025-01-13", "is_set": True}
    answer = await client.put("/dev/clock", json={"now": "2025-01-12T10:00:00Z"})
    assert (answer.status_code, answer.json()["code"]) == (409, "clock_backwards")
    assert (await client.get("/dev/clock")).json()["today"] == "2025-01-13"
    assert (await client.put("/dev/clock", json={"now": None})).json()["is_set"] is False


async def test_development_routes_do_not_exist_in_production() -> None:
    service = StillService(settings(environment="production", dev_issuer_key=None, jwks_url="http://127.0.0.1:1/jwks"))
    async with browser(thing_app(service)) as client:
        for answer in (
            await client.get("/dev/clock"),
            await client.put("/dev/clock", json={"now": None}),
            await client.post("/dev/token", json={"persona": "operator"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await client.get("/livez")).headers["strict-transport-security"] == "max-age=31536000"


async def test_keys_are_handed_only_to_services_and_a_destroyed_one_is_gone(
    client: httpx.AsyncClient, service: StillService
) -> None:
    service.has_keys = {"01A": b"k" * 32, "01B": None}
    ask = {"Authorization": f"Bearer {token('followup')}"}
    answer = await client.post("/keys/01A", headers=ask)
    assert answer.json() == {"key": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}
    assert (await client.post("/keys/01B", headers=ask)).status_code == 410
    unknown = await client.post("/keys/01C", headers=ask)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "key_unknown")
    assert (await client.post("/keys/01A", headers=headers("counsellor-nav"))).status_code == 403
    answer = await client.post("/keys", headers=ask, json={"candidates": ["01A", "01B"]})
    assert answer.json() == {"keys": {"01A": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}, "destroyed": ["01B"]}
    unknown = await client.post("/keys", headers=ask, json={"candidates": ["01A", "01C"]})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "key_unknown")
    both = {"candidates": ["01A", "01B", "01C"]}
    answer = await client.post("/keys/destroyed", headers=ask, json=both)
    assert (answer.status_code, answer.json()) == (200, {"destroyed": ["01B"]})
    for path in ("/keys", "/keys/destroyed"):
        assert (await client.post(path, headers=headers("counsellor-nav"), json=both)).status_code == 403
    for wrong in ({}, {"candidates": ["0"] * 501}, {"candidates": [""]}, {"candidates": [1]}, {**both, "more": 1}):
        for path in ("/keys", "/keys/destroyed"):
            assert (await client.post(path, headers=ask, json=wrong)).status_code == 422, wrong
