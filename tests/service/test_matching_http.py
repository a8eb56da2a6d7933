"""Matching over HTTP on real engines: from a need to a confirmed match, and what stands in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from chassis.ids import new_id
from chassis.settings import Settings
from contracts import followup as fo
from contracts import intake as it
from contracts.event import Event
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until

COUNSELLOR = "counsellor-refugee-service"


async def assigned(world: World, need_id: str) -> None:
    async def is_assigned() -> bool:
        answer = await world.get(f"/needs/{need_id}")
        return answer.status_code == 200 and answer.json()["assigned_on"] is not None

    await until(is_assigned, f"{need_id} assigned")


async def stage(world: World, match_id: str) -> str:
    answer = await world.get(f"/matches/{match_id}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["stage"])


async def ends(world: World, match_id: str, reason: str) -> None:
    async def is_over() -> bool:
        return await stage(world, match_id) == "cancelled"

    await until(is_over, f"{match_id} cancelled")
    assert (await world.get(f"/matches/{match_id}")).json()["cancelled"]["reason"] == reason


async def test_from_a_need_to_a_confirmed_match_nothing_is_shown_too_early(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        best, second = await world.candidate(), await world.candidate(municipality="0301")
        await assigned(world, need.need_id)

        shown = (await world.get(f"/needs/{need.need_id}")).json()
        assert (shown["intermediary"], shown["days_left"], shown["promise_date"]) == (
            "refugee_service",
            26,
            "2025-02-10",
        )
        assert shown["slots"] == [{"slot_id": slot_id, "state": "open", "matches": []}]

        ranking = (await world.get(f"/slots/{slot_id}/candidates")).json()
        assert [each["candidate_id"] for each in ranking["items"]] == [best, second]
        top = ranking["items"][0]
        assert top["score"] == sum(reason["points"] for reason in top["reasons"])
        assert "Kan arbeide i samme kommune." in [reason["text"] for reason in top["reasons"]]
        assert ranking["rule_version"] == "ranking-2025-01"

        proposal = await world.post(f"/slots/{slot_id}/matches", {"candidate_id": best})
        assert proposal.status_code == 201
        assert proposal.json() == {
            "match_id": proposal.json()["match_id"],
            "need_id": need.need_id,
            "slot_id": slot_id,
            "candidate_id": best,
            "score": top["score"],
            "rule_version": "ranking-2025-01",
            "version": 1,
        }
        match = proposal.headers["location"]
        assert proposal.headers["etag"] == '"1"'
        rival = await world.presented(slot_id, second)

        early = await world.post(f"{match}/presentation", version=1)
        assert (early.status_code, early.json()["code"]) == (409, "not_accepted")
        assert (await world.get(match, "employer-lier")).status_code == 404
        assert (await world.get(match, "counsellor-nav")).status_code == 404
        assert (await world.get(match, "candidate", second)).status_code == 404

        asked = await world.post(f"{match}/question", {"deadline": "2025-01-20"}, version=1)
        assert asked.status_code == 201
        own = (await world.get(match, "candidate", best)).json()
        assert (own["stage"], own["deadline"], own["work"]["occupation"]) == ("asked", "2025-01-20", "5223")
        assert "score" not in own

        accepted = await world.post(f"{match}/answer", {"answer": "accept"}, "candidate", best, version=2)
        assert accepted.status_code == 201
        assert (await world.get(match, "employer-lier")).status_code == 404
        assert (await world.post(f"{match}/presentation", version=3)).status_code == 201

        seen = (await world.get(match, "employer-lier")).json()
        assert seen["stage"] == "presented"
        assert seen["candidate"]["experience"] == [{"occupation": "5223", "months": 30}]
        assert "score" not in seen
        assert (await world.get(match, "employer-nav")).status_code == 404

        stale = await world.post(f"{match}/response", {"response": "interview"}, "employer-lier", version=3)
        assert (stale.status_code, stale.json()["changed"]) == (409, ["CandidatePresented"])
        said = await world.post(f"{match}/response", {"response": "interview"}, "employer-lier", version=4)
        assert said.status_code == 201
        held = await world.post(f"{match}/interview", {"held_on": "2025-01-15"}, "employer-lier", version=5)
        assert held.status_code == 201
        missing = await world.post(f"{match}/confirmation")
        assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
        done = await world.post(f"{match}/confirmation", version=6, key="confirm", wait=5)
        assert done.status_code == 201
        again = await world.post(f"{match}/confirmation", version=6, key="confirm")
        assert (again.status_code, again.headers["idempotent-replay"]) == (201, "true")

        assert (await world.get(match)).json()["confirmed_on"] == "2025-01-15"
        other = (await world.get(f"/matches/{rival}")).json()
        assert (other["stage"], other["cancelled"]["reason"]) == ("cancelled", "other_candidate_chosen")
        positions = [*world.seen, f"matching:{done.json()['position']}"]
        headers = world.token(COUNSELLOR)
        after = await world.http.get(f"/needs/{need.need_id}", headers=headers, params={"min_position": positions})
        assert after.json()["slots"][0]["state"] == "filled"
        free = await world.http.get(f"/slots/{slot_id}/candidates", headers=headers, params={"min_position": positions})
        assert [each["candidate_id"] for each in free.json()["items"]] == [second]
        (placed,) = free.json()["excluded"]
        assert (placed["candidate_id"], placed["guards"][0]["code"]) == (best, "not_free")
        listed = await world.http.get(
            "/matches", headers=headers, params={"slot_id": slot_id, "min_position": positions, "limit": 1}
        )
        assert len(listed.json()["items"]) == 1
        rest = await world.http.get(
            "/matches", headers=headers, params={"slot_id": slot_id, "cursor": listed.json()["next"]}
        )
        assert (len(rest.json()["items"]), rest.json()["next"]) == (1, None)
        for_employer = await world.get("/matches", "employer-lier")
        assert {each["match_id"] for each in for_employer.json()["items"]} == {rival, proposal.json()["match_id"]}
        gone = next(each for each in for_employer.json()["items"] if each["match_id"] == rival)
        assert gone["candidate"] is None


async def test_protected_people_appear_nowhere_and_the_refusal_does_not_say_why(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        protected, unready = await world.candidate(), await world.candidate()
        await world.happened(it.SOURCE, it.AddressProtectionChanged(candidate_id=protected, protected=True))
        await world.happened(it.SOURCE, it.ReadinessRevoked(candidate_id=unready, reason="circumstances_changed"))
        ranking = await world.get(f"/slots/{slot_id}/candidates")
        assert protected not in ranking.text
        assert [each["candidate_id"] for each in ranking.json()["excluded"]] == [unready]
        answers = [
            await world.post(f"/slots/{slot_id}/matches", {"candidate_id": candidate_id})
            for candidate_id in (protected, unready, new_id())
        ]
        assert {(each.status_code, each.json()["code"], each.json()["detail"]) for each in answers} == {
            (409, "candidate_not_available", "Kandidaten er ikke tilgjengelig. Velg en annen kandidat.")
        }
        assert answers[0].json()["errors"][0]["pointer"] == "/candidate_id"


async def test_whoever_becomes_unavailable_after_the_confirmation_loses_the_match(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=4)
        day = date(2025, 1, 15)
        losses: list[Callable[[str], Event]] = [
            lambda name: it.ReadinessRevoked(candidate_id=name, reason="circumstances_changed"),
            lambda name: it.ConsentWithdrawn(candidate_id=name, scope="matching", withdrawn_on=day),
            lambda name: it.AddressProtectionChanged(candidate_id=name, protected=True),
            lambda name: it.CandidateAssessed(candidate_id=name, ready=False, assessed_on=day, valid_until=day),
        ]
        for slot_id, lost in zip(need.slot_ids, losses, strict=True):
            name = await world.candidate()
            match_id = await world.presented(slot_id, name)
            assert (await world.post(f"/matches/{match_id}/confirmation", version=5)).status_code == 201
            await world.happened(it.SOURCE, lost(name))
            await ends(world, match_id, "no_longer_available")


def trial_of(match: dict[str, Any]) -> dict[str, Any]:
    ids = {name: match[name] for name in ("match_id", "need_id", "slot_id", "candidate_id", "org_number")}
    return {**ids, "agreement_id": "A1"}


async def test_a_started_trial_is_not_touched_and_a_closed_one_frees(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        name = await world.candidate()
        first = await world.presented(need.slot_ids[0], name)
        done = await world.post(f"/matches/{first}/confirmation", version=5, wait=5)
        assert done.status_code == 201
        case = trial_of((await world.get(f"/matches/{first}")).json())
        started = fo.TrialStarted(
            **case,
            trial_id="T1",
            on=date(2025, 1, 15),
            confirmed_by="employer",
            measure="work_training",
            end_on=date(2025, 4, 14),
            days_from_need=2,
            within_promise=True,
            rule_version="1",
        )
        await world.happened(fo.SOURCE, started)
        assert (await world.get(f"/matches/{first}")).json()["started_on"] == "2025-01-15"
        cancel = await world.post(f"/matches/{first}/cancellation", {"reason": "no_longer_available"}, version=6)
        assert (cancel.status_code, cancel.json()["code"]) == (409, "trial_started")
        await world.happened(it.SOURCE, it.ReadinessRevoked(candidate_id=name, reason="in_work_or_education"))
        assert await world.reacted("release") == "nothing"
        assert await stage(world, first) == "confirmed"

        day = date(2025, 1, 15)
        ready = it.CandidateAssessed(candidate_id=name, ready=True, assessed_on=day, valid_until=date(2025, 12, 31))
        await world.happened(it.SOURCE, ready)
        refused = await world.post(f"/slots/{need.slot_ids[1]}/matches", {"candidate_id": name})
        assert (refused.status_code, refused.json()["code"]) == (409, "candidate_not_available")
        closed = fo.TrialClosed(**case, trial_id="T1", on=day, outcome="no_offer", reason="period_completed")
        await world.happened(fo.SOURCE, closed)
        assert await world.presented(need.slot_ids[1], name)


async def test_a_no_show_opens_the_slot_again_and_a_withdrawn_need_ends_its_matches(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        name, other = await world.candidate(), await world.candidate()
        match_id = await world.presented(need.slot_ids[0], name)
        assert (await world.post(f"/matches/{match_id}/confirmation", version=5)).status_code == 201
        case = trial_of((await world.get(f"/matches/{match_id}")).json())
        no_show = fo.NoShowReported(**case, on=date(2025, 1, 15), reported_by="employer")
        await world.happened(fo.SOURCE, no_show)
        await ends(world, match_id, "no_show")

        second = await world.propose(need.slot_ids[0], other)
        withdrawn = it.NeedWithdrawn(
            need_id=need.need_id,
            org_number=need.org_number,
            slot_ids=need.slot_ids,
            reason="no_longer_needed",
            withdrawn_on=date(2025, 1, 15),
        )
        await world.happened(it.SOURCE, withdrawn)
        await ends(world, second, "need_withdrawn")
        refused = await world.post(f"/slots/{need.slot_ids[0]}/matches", {"candidate_id": name})
        assert refused.json()["code"] == "slot_withdrawn"


async def test_free_text_is_sealed_and_comes_out_nowhere(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        name = await world.candidate()
        match_id = await world.propose(need.slot_ids[0], name)
        assert (await world.post(f"/matches/{match_id}/question", {"deadline": "2025-01-20"}, version=1)).is_success
        canary = "KANARIFUGL i bur"
        body = {"answer": "decline", "reason": "other", "note": canary}
        no = await world.post(f"/matches/{match_id}/answer", body, "candidate", name, version=2)
        assert no.status_code == 201, no.text
        shown = await world.get(f"/matches/{match_id}")
        assert canary not in shown.text
        assert shown.json()["declined"] == {"on": "2025-01-15", "reason": "other"}


BAD_INPUT: list[tuple[str, dict[str, Any], int, str]] = [
    ("question", {"deadline": "2025-01-14"}, 422, "deadline_in_past"),
    ("question", {"deadline": "i morgen"}, 422, "invalid"),
    ("question", {"deadline": "2025-01-20", "who": "x"}, 422, "invalid"),
    ("answer", {"answer": "accept", "note": "Ringte."}, 409, "not_asked"),
    ("answer", {"answer": "accept", "reason": "travel"}, 422, "reason_only_for_decline"),
    ("answer", {"answer": "decline"}, 422, "reason_missing"),
    ("cancellation", {"reason": "no_show"}, 422, "reason_not_allowed"),
    ("presentation", {"now": True}, 422, "invalid"),
]


async def test_bad_input_names_what_is_wrong_and_changes_nothing(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        match_id = await world.propose(need.slot_ids[0], await world.candidate())
        for step, body, status, code in BAD_INPUT:
            answer = await world.post(f"/matches/{match_id}/{step}", body, version=1)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await world.get(f"/matches/{match_id}")).headers["etag"] == '"1"'
        foreign = await world.post(
            f"/matches/{match_id}/question", {"deadline": "2025-01-20"}, "counsellor-nav", version=1
        )
        assert foreign.status_code == 404
        assert (await world.get(f"/slots/{need.slot_ids[0]}/candidates", "counsellor-nav")).status_code == 404
        assert (await world.get(f"/slots/{need.slot_ids[0]}/candidates", "employer-lier")).status_code == 403
        assert (await world.get(f"/needs/{need.need_id}", "employer-nav")).status_code == 404
        assert (await world.get(f"/matches/{new_id()}")).status_code == 404


async def test_a_need_is_passed_on_and_its_matches_go_with_it(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        await assigned(world, need.need_id)
        match_id = await world.propose(need.slot_ids[0], await world.candidate())
        path = f"/needs/{need.need_id}/assignment"
        assert (await world.get(f"/needs/{need.need_id}")).headers["etag"] == '"1"'
        refused = await world.post(path, {"intermediary": "nav"}, "counsellor-nav", version=1)
        assert (refused.status_code, refused.json()["code"]) == (409, "need_of_other_intermediary")
        passed = await world.post(path, {"intermediary": "nav"}, version=1)
        assert (passed.status_code, passed.json()["version"]) == (201, 2)
        assert (await world.get(f"/matches/{match_id}", "counsellor-nav")).status_code == 200
        assert (await world.get(f"/matches/{match_id}")).status_code == 404
