"""Who is in the pool, how they are ranked, and who leaves it: over HTTP on real engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from chassis.settings import Settings
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.event import Event
from services.matching.reactions import REACTIONS
from services.matching.views import PROJECTIONS
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until

DAY = date(2025, 1, 15)
IDS = ("match_id", "need_id", "slot_id", "candidate_id", "org_number")


def started(case: dict[str, str]) -> fo.TrialStarted:
    return fo.TrialStarted(
        **case, agreement_id="A1", trial_id="T1", on=DAY, confirmed_by="employer", measure="work_training",
        end_on=date(2025, 4, 14), days_from_need=2, within_promise=True, rule_version="1",
    )  # fmt: skip


async def listed(world: World, slot_id: str) -> tuple[list[str], dict[str, list[str]]]:
    """Who is ranked, and who is excluded with which guards."""
    answer = await world.get(f"/slots/{slot_id}/candidates")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    excluded = {each["candidate_id"]: [guard["code"] for guard in each["guards"]] for each in found["excluded"]}
    assert (found["ranked_count"], found["excluded_count"]) == (len(found["items"]), len(excluded))
    return [each["candidate_id"] for each in found["items"]], excluded


async def ends(world: World, match_id: str, reason: str) -> None:
    async def is_over() -> bool:
        return bool((await world.get(f"/matches/{match_id}")).json()["stage"] == "cancelled")

    await until(is_over, f"{match_id} cancelled")
    assert (await world.get(f"/matches/{match_id}")).json()["cancelled"]["reason"] == reason


def assessed(name: str, *, ready: bool = True, until_day: date = date(2025, 12, 31)) -> it.CandidateAssessed:
    return it.CandidateAssessed(candidate_id=name, ready=ready, assessed_on=DAY, valid_until=until_day)


async def test_the_pool_is_a_projection_of_ready_consenting_unprotected_free_candidates(settings: Settings) -> None:
    """Given a candidate, when anything of this changes, then they leave the ranking or enter it again."""
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        name = await world.candidate()
        assert (await listed(world, slot_id))[0] == [name]
        steps: list[tuple[Event, Event, dict[str, list[str]]]] = [
            (
                it.ReadinessRevoked(candidate_id=name, reason="circumstances_changed"),
                assessed(name),
                {name: ["not_ready"]},
            ),
            (
                it.ConsentWithdrawn(candidate_id=name, scope="matching", withdrawn_on=DAY),
                it.ConsentGiven(candidate_id=name, scope="matching", given_on=DAY),
                {name: ["no_consent"]},
            ),
            (
                it.AddressProtectionChanged(candidate_id=name, protected=True),
                it.AddressProtectionChanged(candidate_id=name, protected=False),
                {},
            ),
            (assessed(name, until_day=date(2025, 1, 14)), assessed(name), {name: ["assessment_expired"]}),
            (assessed(name, ready=False), assessed(name), {name: ["not_ready"]}),
        ]
        for leaves, enters, excluded in steps:
            await world.happened(it.SOURCE, leaves)
            assert await listed(world, slot_id) == ([], excluded), leaves
            await world.happened(it.SOURCE, enters)
            assert await listed(world, slot_id) == ([name], {}), enters


async def test_merged_handed_over_and_erased_candidates_leave_the_pool_or_change_hands(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=3)
        old, new, third = await world.candidates(3)
        match_id = await world.propose(need.slot_ids[0], old)
        await world.happened(it.SOURCE, it.CandidateMerged(candidate_id=old, merged_into=new, merged_on=DAY))
        await ends(world, match_id, "no_longer_available")
        assert sorted((await listed(world, need.slot_ids[0]))[0]) == sorted([new, third])

        # Without consent a candidate is met by their own intermediary alone: the one they were handed over to.
        await world.happened(it.SOURCE, it.ConsentWithdrawn(candidate_id=third, scope="matching", withdrawn_on=DAY))
        assert await listed(world, need.slot_ids[1]) == ([new], {third: ["no_consent"]})
        over = it.CandidateHandedOver(
            candidate_id=third, from_intermediary="refugee_service", to_intermediary="nav", handed_over_on=DAY
        )
        await world.happened(it.SOURCE, over)
        assert await listed(world, need.slot_ids[1]) == ([new], {})

        match_id = await world.propose(need.slot_ids[1], new)
        await world.happened(it.SOURCE, it.CandidateErased(candidate_id=new, erased_on=DAY))
        await ends(world, match_id, "no_longer_available")
        assert await listed(world, need.slot_ids[1]) == ([], {})
        refused = await world.post(f"/slots/{need.slot_ids[1]}/matches", {"candidate_id": new})
        assert (refused.status_code, refused.json()["code"]) == (409, "candidate_not_available")


async def test_whoever_has_a_place_under_an_older_registration_gets_no_second_one(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        old, new = await world.candidates(2)
        match_id = await world.presented(need.slot_ids[0], old)
        other = await world.presented(need.slot_ids[1], new)
        assert (await world.post(f"/matches/{match_id}/confirmation", version=5, wait=5)).status_code == 201
        case = {k: v for k, v in (await world.get(f"/matches/{match_id}")).json().items() if k in IDS}
        await world.happened(fo.SOURCE, started(case))
        await world.happened(it.SOURCE, it.CandidateMerged(candidate_id=old, merged_into=new, merged_on=DAY))
        assert (await listed(world, need.slot_ids[1]))[1] == {new: ["not_free"]}
        refused = await world.post(f"/matches/{other}/confirmation", version=5)
        assert (refused.status_code, refused.json()["code"]) == (409, "candidate_not_available")


async def test_running_proposals_are_cancelled_with_a_reason_that_does_not_tell_what_is_protected(
    settings: Settings,
) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=6)
        losses: list[Callable[[str], Event]] = [
            lambda name: it.ReadinessRevoked(candidate_id=name, reason="circumstances_changed"),
            lambda name: it.ConsentWithdrawn(candidate_id=name, scope="matching", withdrawn_on=DAY),
            lambda name: it.AddressProtectionChanged(candidate_id=name, protected=True),
            lambda name: assessed(name, ready=False),
            lambda name: it.CandidateErased(candidate_id=name, erased_on=DAY),
            lambda name: it.CandidateMerged(candidate_id=name, merged_into="0" * 26, merged_on=DAY),
        ]
        names = await world.candidates(len(losses))
        told = []
        for slot_id, name, lost in zip(need.slot_ids, names, losses, strict=True):
            match_id = await world.presented(slot_id, name)
            await world.happened(it.SOURCE, lost(name))
            await ends(world, match_id, "no_longer_available")
            shown = (await world.get(f"/matches/{match_id}", "employer-lier")).json()
            told.append({k: v for k, v in shown.items() if k not in (*IDS, "version")})
        assert all(each == told[0] for each in told), "the employer cannot tell one ground from another"


async def test_an_assessment_that_runs_out_ends_running_proposals_and_no_confirmed_match(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        running, agreed = await world.candidates(2)
        match_id = await world.propose(need.slot_ids[0], running)
        confirmed = await world.presented(need.slot_ids[1], agreed)
        assert (await world.post(f"/matches/{confirmed}/confirmation", version=5, wait=5)).status_code == 201
        for name in (running, agreed):
            await world.happened(it.SOURCE, assessed(name, until_day=date(2025, 1, 20)))
        world.services[0].clock.set(datetime(2025, 1, 20, 22, tzinfo=UTC))
        assert (await listed(world, need.slot_ids[0]))[0] == [running]
        # 00:30 in Oslo: the day after the last one.
        world.services[0].clock.set(datetime(2025, 1, 20, 23, 30, tzinfo=UTC))
        assert (await listed(world, need.slot_ids[0]))[1][running] == ["assessment_expired"]
        await ends(world, match_id, "no_longer_available")
        assert (await world.get(f"/matches/{confirmed}")).json()["stage"] == "confirmed"


def revised(need: it.NeedRegistered, **changes: Any) -> it.NeedRevised:
    content = {"occupation": need.occupation, "hours_per_week": need.hours_per_week, "language": need.language}
    about = {"need_id": need.need_id, "org_number": need.org_number, "revised_on": DAY}
    return it.NeedRevised(**{**about, **content, **changes})


async def test_a_revised_need_is_ranked_anew_and_ends_proposals_that_no_longer_fit(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        driver, other = await world.candidate(licences=("B",)), await world.candidate()
        first, second = await world.propose(need.slot_ids[0], driver), await world.propose(need.slot_ids[1], other)
        assert (await world.post(f"/matches/{first}/question", {"deadline": "2025-01-20"}, version=1)).is_success
        await world.happened(it.SOURCE, revised(need, licences=("B",), occupation="8322"))
        await ends(world, second, "requirements_not_met")
        kept = (await world.get(f"/matches/{first}")).json()
        assert (kept["stage"], kept["revised_since_asked"]) == ("asked", True)
        ranked, excluded = await listed(world, need.slot_ids[1])
        assert (ranked, excluded) == ([driver], {other: ["licence_missing"]})
        refused = await world.post(f"/slots/{need.slot_ids[1]}/matches", {"candidate_id": other})
        assert (refused.status_code, refused.json()["code"]) == (409, "licence_missing")
        shown = (await world.get(f"/needs/{need.need_id}")).json()
        assert (shown["occupation"], shown["licences"], shown["revised_on"]) == ("8322", ["B"], "2025-01-15")
        assert shown["promise_date"] == "2025-02-10", "a revision gives no new clock"


async def test_an_expired_need_is_closed_and_its_proposals_end(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        running, agreed = await world.candidates(2)
        match_id = await world.propose(need.slot_ids[0], running)
        confirmed = await world.presented(need.slot_ids[1], agreed)
        assert (await world.post(f"/matches/{confirmed}/confirmation", version=5, wait=5)).status_code == 201
        expired = it.NeedExpired(
            need_id=need.need_id, org_number=need.org_number, slot_ids=need.slot_ids, expired_on=DAY
        )
        await world.happened(it.SOURCE, expired)
        await ends(world, match_id, "need_expired")
        slots = (await world.get(f"/needs/{need.need_id}")).json()["slots"]
        assert [slot["state"] for slot in slots] == ["expired", "filled"]
        refused = await world.post(f"/slots/{need.slot_ids[0]}/matches", {"candidate_id": running})
        assert (refused.status_code, refused.json()["code"]) == (409, "slot_expired")


async def test_every_point_of_the_score_has_a_reason_in_norwegian_and_english_and_its_rule_version(
    settings: Settings,
) -> None:
    async with matching_world(settings) as world:
        world.services[0].clock.set(datetime(2026, 11, 23, 9, tzinfo=UTC))
        day = date(2026, 11, 20)
        need = await world.need(
            language=it.LanguageLevels(listening="A2", reading="A2", speaking="B1", writing="A1"),
            licences=("B",), certificates=("forklift",), registered_on=day, promise_date=date(2026, 12, 18),
        )  # fmt: skip
        (slot_id,) = need.slot_ids
        name = await world.candidate(
            licences=("B",), certificates=("forklift",), wished_municipalities=("3312",), travel_minutes=45,
            municipality="0301", language=it.LanguageLevels(listening="B1", speaking="A2", writing="A1"),
        )  # fmt: skip
        await world.happened(it.SOURCE, assessed(name, until_day=date(2027, 1, 1)))
        texts = {}
        for language in ("nb", "en"):
            headers = {**world.token("counsellor-refugee-service"), "Accept-Language": language}
            path, params = f"/slots/{slot_id}/candidates", {"min_position": world.seen}
            (found,) = (await world.http.get(path, headers=headers, params=params)).json()["items"]
            assert found["score"] == sum(reason["points"] for reason in found["reasons"])
            texts[language] = [(reason["code"], reason["text"]) for reason in found["reasons"]]
            assert all(text != code and text.endswith(".") for code, text in texts[language])
        assert [code for code, _ in texts["nb"]] == [code for code, _ in texts["en"]]
        assert {text for _, text in texts["nb"]}.isdisjoint(text for _, text in texts["en"])
        assert "place_wished" in dict(texts["nb"])
        assert {"travel_short", "certificate_held", "licence_held"} <= dict(texts["nb"]).keys()

        match_id = await world.propose(slot_id, name)
        log = world.services[0].log
        events = (await log.load([f"match:{match_id}"]))[f"match:{match_id}"].events
        (matched,) = [event for event in events if isinstance(event, ma.CandidateMatched)]
        assert (matched.rule_version, matched.score) == ("ranking-2026-11", found["score"])
        assert [reason.code for reason in matched.reasons] == [code for code, _ in texts["nb"]]


async def test_hard_guards_are_named_and_explained(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(licences=("B",), certificates=("forklift",), start_to=date(2025, 2, 1))
        (slot_id,) = need.slot_ids
        fits = {"licences": ("B",), "certificates": ("forklift",)}
        best = await world.candidate(**fits)
        nobody = await world.candidate(available_from=date(2025, 3, 1))
        answer = (await world.get(f"/slots/{slot_id}/candidates")).json()
        assert [each["candidate_id"] for each in answer["items"]] == [best]
        (excluded,) = answer["excluded"]
        assert excluded["candidate_id"] == nobody
        assert [guard["code"] for guard in excluded["guards"]] == [
            "licence_missing",
            "certificate_missing",
            "outside_window",
        ]
        assert all(guard["text"].endswith(".") for guard in excluded["guards"])


async def test_no_protected_trait_can_enter_the_ranking(settings: Settings) -> None:
    """Twins whose declared background differs in everything are ranked alike, with the same reasons."""
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        one, other = await world.candidates(2)
        background = [
            it.BackgroundDeclared(candidate_id=name, declared_on=DAY, ciphertext=text)
            for name, text in ((one, "b25l"), (other, "b3RoZXI="))
        ]
        before = (await world.get(f"/slots/{slot_id}/candidates")).json()["items"]
        await world.happened(it.BACKGROUND_SOURCE, *background)
        after = (await world.get(f"/slots/{slot_id}/candidates")).json()["items"]
        assert before == after
        assert after[0]["score"] == after[1]["score"]
        assert after[0]["reasons"] == after[1]["reasons"]
        topics = {topic for each in PROJECTIONS for topic in each.topics} | {
            t for each in REACTIONS for t in each.topics
        }
        assert it.BACKGROUND_TOPIC not in topics
