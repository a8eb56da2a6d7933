"""Bad input over HTTP: bounds and formats of every field, the same key twice, two who change the same thing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from chassis.ids import new_id
from chassis.settings import Settings
from tests.service.matching_world import matching_world

COUNSELLOR = "counsellor-refugee-service"
EMPLOYER = "employer-lier"

BAD_DATES: tuple[Any, ...] = (
    None, "", "2025-02-30", "20.01.2025", "2025-1-20", "2025-01-20T00:00:00Z", "1899-12-31", "2200-01-01", 20250120,
    True, ["2025-01-20"], {"day": 20}, "２０２５-01-20",
)  # fmt: skip
BAD_IDS: tuple[Any, ...] = (
    None, "", "x", "0" * 25, "0" * 27, "01j0000000000000000000000i", "01J" + "U" * 23, 1, ["01"], {"$gt": ""},
    "01J\u0000" + "0" * 22,
)  # fmt: skip
BAD_NOTES: tuple[Any, ...] = ("", "   ", "a\u0000b", "\u202eabc", "x" * 2001, 7, ["x"], "a\u2028b")
FIELDS: tuple[tuple[str, dict[str, Any], str, tuple[Any, ...], str], ...] = (
    ("question", {}, "deadline", BAD_DATES, COUNSELLOR),
    ("interview", {}, "held_on", BAD_DATES, EMPLOYER),
    ("answer", {}, "answer", (None, "", "maybe", "ACCEPT", 1, True, ["accept"]), COUNSELLOR),
    ("answer", {"answer": "decline"}, "reason", ("", "because", 1, ["travel"]), COUNSELLOR),
    ("answer", {"answer": "decline", "reason": "other"}, "note", BAD_NOTES, COUNSELLOR),
    ("response", {}, "response", (None, "", "yes", 1), EMPLOYER),
    ("response", {"response": "not_relevant"}, "reason", ("", "because", 1), EMPLOYER),
    ("response", {"response": "not_relevant", "reason": "other"}, "note", BAD_NOTES, EMPLOYER),
    ("cancellation", {}, "reason", (None, "", "because", 1), COUNSELLOR),
    ("cancellation", {"reason": "other"}, "note", BAD_NOTES, COUNSELLOR),
)


async def test_every_fields_bounds_and_formats_are_checked_and_named(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        match_id = await world.presented(slot_id, await world.candidate())
        for step, others, field, values, persona in FIELDS:
            for value in values:
                body = {**others, field: value} if value is not None else others
                answer = await world.post(f"/matches/{match_id}/{step}", body, persona, version=5)
                told = answer.json()
                assert answer.status_code == 422, (step, field, value, told)
                assert [error["pointer"] for error in told["errors"]] == [f"/{field}"], (step, field, value, told)
        for path, others, field in (
            (f"/slots/{slot_id}/matches", {}, "candidate_id"),
            ("/plan/proposals", {"slot_id": slot_id}, "candidate_id"),
            ("/plan/proposals", {"candidate_id": new_id()}, "slot_id"),
        ):
            for value in BAD_IDS:
                body = {**others, field: value} if value is not None else others
                answer = await world.post(path, body)
                assert answer.status_code == 422, (path, value, answer.text)
                assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
        for value in BAD_DATES[1:]:
            answer = await world.post(f"/slots/{slot_id}/next", {"deadline": value})
            assert answer.status_code == 422, value
        for value in ("", "somebody", 1, None):
            body = {} if value is None else {"intermediary": value}
            assert (await world.post(f"/needs/{need.need_id}/assignment", body, version=1)).status_code == 422
        assert (await world.get(f"/matches/{match_id}")).headers["etag"] == '"5"', "nothing was changed by any of it"


async def test_paths_queries_bodies_and_headers_that_are_not_what_they_should_be(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        match_id = await world.propose(slot_id, await world.candidate())
        token = world.token(COUNSELLOR)
        for strange in ("x", "%00", "..%2f..", "$gt", "x" * 500, "%E2%80%AE", "%F0%28"):
            for path in (f"/matches/{strange}", f"/needs/{strange}", f"/slots/{strange}/candidates"):
                answer = await world.http.get(path, headers=token)
                assert answer.status_code in (400, 404), (path, answer.status_code)
        for query in ("limit=0", "limit=201", "limit=x", "limit=-1", "cursor=%00", "cursor=e30", "cursor=W10"):
            answer = await world.http.get(f"/matches?{query}", headers=token)
            assert answer.status_code in (400, 422), (query, answer.status_code)
            candidates = await world.http.get(f"/slots/{slot_id}/candidates?{query}", headers=token)
            assert candidates.status_code == (422 if query.startswith("limit") else 200), query
        path, keyed = f"/matches/{match_id}/question", {**token, "If-Match": '"1"'}
        body = {"deadline": "2025-01-20"}

        async def sent(status: int, code: str, changed: dict[str, str]) -> None:
            plain = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
            merged = {name: value for name, value in {**keyed, **plain, **changed}.items() if value}
            answer = await world.http.post(path, headers=merged, json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text

        await sent(400, "idempotency_key_missing", {"Idempotency-Key": ""})
        await sent(400, "idempotency_key_malformed", {"Idempotency-Key": "with blanks"})
        await sent(400, "idempotency_key_malformed", {"Idempotency-Key": "x" * 256})
        await sent(428, "if_match_missing", {"If-Match": ""})
        await sent(400, "if_match_malformed", {"If-Match": "one"})
        await sent(400, "if_match_malformed", {"If-Match": '"-1"'})
        stale = await world.post(path, body, version=0)
        assert (stale.status_code, stale.json()["code"], stale.json()["changed"]) == (
            409,
            "stale",
            ["CandidateMatched"],
        )
        for content in (b"{", b"[]", b'"x"', b'{"deadline": "2025-01-20", "deadline": "2025-01-21"}', b"\xff", b"NaN"):
            headers = {**keyed, "Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
            answer = await world.http.post(path, headers=headers, content=content)
            assert answer.status_code in (400, 422), content
        large = await world.post(path, {"deadline": "x" * 70_000}, version=1)
        assert large.status_code == 413
        typed = await world.http.post(
            path, headers={**keyed, "Idempotency-Key": "k", "Content-Type": "text/plain"}, content=b"x"
        )
        assert typed.status_code == 415
        assert (await world.get(f"/matches/{match_id}")).headers["etag"] == '"1"'


async def test_the_same_idempotency_key_never_does_anything_twice(settings: Settings) -> None:
    """Given two instances, when every step is sent to both at once with one key, then each happens once."""
    async with matching_world(settings, instances=2) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        name = await world.candidate()
        await world.get(f"/slots/{slot_id}/candidates")

        async def twice(path: str, body: dict[str, Any], persona: str, own: str | None, version: int | None) -> Any:
            key = uuid4().hex
            answers = await asyncio.gather(
                *(
                    world.post(path, body, persona, own, version=version, key=key, instance=turn % 2)
                    for turn in range(4)
                )
            )
            later = await world.post(path, body, persona, own, version=version, key=key)
            assert [answer.status_code for answer in (*answers, later)] == [201] * 5, [a.text for a in answers]
            assert len({answer.text for answer in (*answers, later)}) == 1
            assert sum("idempotent-replay" not in answer.headers for answer in (*answers, later)) == 1
            other = await world.post(path, {**body, "reason": "other"}, persona, own, version=version, key=key)
            assert other.status_code == 422
            return later.json()

        match_id = (await twice(f"/slots/{slot_id}/matches", {"candidate_id": name}, COUNSELLOR, None, None))[
            "match_id"
        ]
        path = f"/matches/{match_id}"
        steps: tuple[tuple[str, dict[str, Any], str, str | None], ...] = (
            ("question", {"deadline": "2025-01-20"}, COUNSELLOR, None),
            ("answer", {"answer": "accept"}, "candidate", name),
            ("answer-reversal", {}, COUNSELLOR, None),
            ("answer", {"answer": "accept"}, "candidate", name),
            ("presentation", {}, COUNSELLOR, None),
            ("presentation-reversal", {}, COUNSELLOR, None),
            ("presentation", {}, COUNSELLOR, None),
            ("response", {"response": "relevant"}, EMPLOYER, None),
            ("response-reversal", {}, EMPLOYER, None),
            ("response", {"response": "wants_to_hire"}, EMPLOYER, None),
            ("interview", {"held_on": "2025-01-15"}, EMPLOYER, None),
            ("confirmation", {}, COUNSELLOR, None),
            ("cancellation", {"reason": "no_longer_available"}, COUNSELLOR, None),
        )
        for version, (step, body, persona, own) in enumerate(steps, start=1):
            assert (await twice(f"{path}/{step}", body, persona, own, version))["version"] == version + 1, step
        log = world.services[0].log
        assert (await log.load([f"match:{match_id}"]))[f"match:{match_id}"].version == len(steps) + 1


@pytest.mark.parametrize(
    ("step", "body", "other", "changed"),
    [
        ("presentation-reversal", {}, "interview", "PresentationReversed"),
        ("interview", {"held_on": "2025-01-15"}, "confirmation", "InterviewHeld"),
        ("response-reversal", {}, "confirmation", "ResponseReversed"),
    ],
)
async def test_whoever_comes_second_is_told_what_has_changed(
    settings: Settings, step: str, body: dict[str, Any], other: str, changed: str
) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        match_id = await world.presented(slot_id, await world.candidate())
        assert (await world.post(f"/matches/{match_id}/{step}", body, version=5)).status_code == 201
        late = {"held_on": "2025-01-15"} if other == "interview" else {}
        answer = await world.post(f"/matches/{match_id}/{other}", late, version=5)
        assert (answer.status_code, answer.json()["code"]) == (409, "stale")
        assert answer.json()["changed"] == [changed]
