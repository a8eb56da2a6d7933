"""Trials over HTTP: versions and dry runs, two start dates, the candidate's voice, what comes after the closing."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pypdf
import pytest

from chassis.issuer import PERSONAS
from chassis.settings import Settings
from tests.service.followup_helpers import COUNSELLOR, DECIDER, EMPLOYER, LIER, Case, World, running
from tests.service.test_followup_cases import code

CLOSING = {"on": "2025-05-02", "outcome": "hired", "reason": "period_completed"}
WAGE = {"monthly_wage_nok": 45000, "holiday_pay_percent": 12, "pension_percent": 2}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def closed(world: World, case: Case) -> tuple[str, str]:
    """Agreement and trial of a case that has been closed with a job, after two check-ins."""
    agreement_id, trial_id = await world.started(case)
    for on in ("2025-03-03", "2025-04-07"):
        await world.day(date.fromisoformat(on))
        await done(world, COUNSELLOR, f"/trials/{trial_id}/check-ins", {"held_on": on, "progress": "as_planned"})
    await world.day(date(2025, 5, 2))
    await done(world, COUNSELLOR, f"/trials/{trial_id}/closing", CLOSING)
    return agreement_id, trial_id


async def sent(world: World, persona: str, path: str, body: dict[str, Any], candidate: str | None = None) -> Any:
    """A command based on the version that is read."""
    caller = world.as_(persona, candidate)
    read = await world.as_(COUNSELLOR).get("/".join(path.split("/")[:3]))
    return await caller.post(path, body, version=int(read.headers["ETag"].strip('"')))


async def done(
    world: World, persona: str, path: str, body: dict[str, Any], candidate: str | None = None
) -> dict[str, Any]:
    """The same, and it took effect."""
    answer = await sent(world, persona, path, body, candidate)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def case_after(world: World, persona: str, case: Case, position: int, candidate: str | None = None) -> Any:
    answer = await world.as_(persona, candidate).get(f"/cases/{case.match_id}", min_position=f"followup:{position}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_changed_agreement_has_two_versions_that_can_be_compared_and_is_approved_anew(world: World) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    await done(world, EMPLOYER, f"/agreements/{agreement_id}/approval", {"party": "employer"})
    path = f"/agreements/{agreement_id}/change"
    changed = await done(world, COUNSELLOR, path, {**LIER, "hours_per_week": 30.0})
    position = f"followup:{changed['position']}"
    shown = (await world.as_(EMPLOYER).get(f"/agreements/{agreement_id}")).json()
    assert (shown["status"], shown["hours_per_week"], shown["approvals"]) == ("drafted", 30.0, [])
    found = (await world.as_(EMPLOYER).get(f"/agreements/{agreement_id}/versions", min_position=position)).json()
    assert [(each["number"], each["hours_per_week"]) for each in found["items"]] == [(1, 37.5), (2, 30.0)]
    both = {"from": 1, "to": 2}
    compared = (await world.as_(EMPLOYER).get(f"/agreements/{agreement_id}/comparison", **both)).json()
    assert compared["differences"] == {"hours_per_week": {"from": 37.5, "to": 30.0}}
    absent = await world.as_(EMPLOYER).get(f"/agreements/{agreement_id}/comparison", **{**both, "to": 3})
    assert code(absent) == (404, "not_found")
    assert code(await world.as_("employer-nav").get(f"/agreements/{agreement_id}/versions")) == (404, "not_found")
    version = changed["version"]
    assert await world.approved(case, agreement_id, version=version) == version + 3


async def test_a_subsidy_plan_tells_amounts_and_a_dry_run_what_an_extension_would_do(world: World) -> None:
    case = await world.confirmed()
    body = {"measure": "temporary_wage_subsidy", "end_on": "2025-08-02", "wage": WAGE}
    agreement_id = await world.drafted(case, **body)
    version = await world.approved(case, agreement_id, decided=True)
    for reader in (world.as_(EMPLOYER), world.as_(DECIDER), world.as_("candidate", case.candidate_id)):
        answer = await reader.get(f"/agreements/{agreement_id}/subsidy-plan")
        plan = answer.json()
        assert (answer.headers["Cache-Control"], "45000" in answer.text) == ("no-store", False)
        assert [(each["from_on"], each["wage_subsidy_percent"]) for each in plan["periods"]][:2] == [
            ("2025-02-03", 40),
            ("2025-03-01", 40),
        ]
        assert (plan["rounding"], plan["rule_version"]) == ("half_up_once_per_period", "2024-01-01")
        assert plan["sum_nok"] == sum(each["amount_nok"] for each in plan["periods"])
    await world.day(date(2025, 2, 3))
    start = await world.as_(EMPLOYER).post(f"/agreements/{agreement_id}/start", {"on": "2025-02-03"}, version=version)
    trial_id = start.json()["trial_id"]
    await world.day(date(2025, 7, 1))
    decider = world.as_(DECIDER)
    dry = (await decider.get(f"/trials/{trial_id}/extension", end_on="2026-02-02")).json()
    assert (dry["end_on"], dry["wage_subsidy_percent"]) == (
        {"from": "2025-08-02", "to": "2026-02-02"},
        {"from": 40, "to": 30},
    )
    assert dry["subsidy_plan"]["periods"][-1]["to_on"] == "2026-02-02"
    assert code(await decider.get(f"/trials/{trial_id}/extension", end_on="2026-02-03")) == (422, "longer_than_allowed")
    refused = await world.as_(COUNSELLOR).get(f"/trials/{trial_id}/extension", end_on="2026-02-02")
    assert code(refused) == (409, "decision_maker_needed")
    assert (await decider.get(f"/trials/{trial_id}")).headers["ETag"] == '"1"'
    await done(world, DECIDER, f"/trials/{trial_id}/extension", {"end_on": "2026-02-02"})
    after = (await decider.get(f"/agreements/{agreement_id}/subsidy-plan")).json()
    assert after == dry["subsidy_plan"]


async def test_a_second_start_date_is_409_and_raises_a_task_that_the_counsellor_settles(world: World) -> None:
    case = await world.confirmed()
    agreement_id, _ = await world.started(case)
    await world.day(date(2025, 2, 5))
    path = f"/agreements/{agreement_id}/start"
    same = await sent(world, COUNSELLOR, path, {"on": "2025-02-03"})
    assert code(same) == (409, "already_started")
    other = await sent(world, COUNSELLOR, path, {"on": "2025-02-04"})
    assert code(other) == (409, "start_date_differs")
    assert "3. februar" in other.json()["detail"] or "2025-02-03" in other.json()["detail"]
    shown = await world.shown(case, lambda shown: any(t["task"] == "settle_start_date" for t in shown["tasks"]))
    assert (shown["next_step"]["step"], shown["trial"]["on"]) == ("settle_start", "2025-02-03")
    assert code(await sent(world, COUNSELLOR, path, {"on": "2025-02-04"})) == (409, "start_date_differs")
    task = next(t for t in shown["tasks"] if t["task"] == "settle_start_date")
    completion = f"/cases/{case.match_id}/tasks/{task['task_id']}/completion"
    assert shown["trial"]["disputed"] == [
        {"on": "2025-02-04", "reported_by": "counsellor", "reported_on": "2025-02-05"}
    ]
    unreasoned = await world.as_(COUNSELLOR).post(completion, {"on": "2025-02-04"})
    assert code(unreasoned) == (422, "start_reason_missing")
    right = {"on": "2025-02-04", "reason": "records_show", "note": "Vaktplanen viser det."}
    answer = await world.as_(COUNSELLOR).post(completion, right)
    assert answer.status_code == 201, answer.text
    shown = await world.shown(case, lambda shown: shown["next_step"]["step"] == "follow_up")
    trial = shown["trial"]
    assert (trial["on"], trial["days_from_need"], shown["next_step"]["due_on"]) == ("2025-02-04", 22, "2025-03-04")
    assert [each["on"] for each in shown["history"] if each["event"] == "TrialStarted"] == ["2025-02-03", "2025-02-04"]
    counsellor = world.as_(COUNSELLOR)
    told = (await counsellor.get(f"/trials/{trial['trial_id']}", notes="true")).json()
    assert told["start_reversals"][0]["note"] == "Vaktplanen viser det."
    slot = (await counsellor.get(f"/slots/{case.slot_id}")).json()
    assert (slot["clock"]["day"], slot["clock"]["state"]) == (22, "kept")


async def test_agreements_of_one_person_that_are_concluded_at_once_never_overlap(world: World) -> None:
    candidate_id = await world.intake.candidate()
    cases = [await world.confirmed(candidate_id=candidate_id) for _ in range(4)]
    # One period encloses the others.
    ends = ("2025-12-31", "2025-05-02", "2025-04-01", "2025-03-01")
    agreements = [await world.drafted(case, end_on=end) for case, end in zip(cases, ends, strict=True)]
    for agreement_id in agreements:
        await done(world, EMPLOYER, f"/agreements/{agreement_id}/approval", {"party": "employer"})
        await done(world, "candidate", f"/agreements/{agreement_id}/approval", {"party": "participant"}, candidate_id)
    last = [
        world.as_(COUNSELLOR).post(f"/agreements/{agreement_id}/approval", {"party": "counsellor"}, version=3)
        for agreement_id in agreements
    ]
    answers = await asyncio.gather(*last)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"overlaps"}


async def test_the_candidates_voice_is_read_by_the_cases_counsellor_and_absent_for_every_other_persona(
    world: World,
) -> None:
    case = await world.confirmed()
    _, trial_id = await world.started(case)
    path = f"/trials/{trial_id}/voices"
    voice = {"well": "mixed", "help": "partly", "talk": True, "text": "Jeg vil lære kassen"}
    given = await world.as_("candidate", case.candidate_id).post(path, voice)
    assert given.status_code == 201, given.text
    assert "kassen" not in given.text
    for persona in PERSONAS:
        candidate = case.candidate_id if persona == "candidate" else None
        answer = await world.as_(persona, candidate).get(path)
        if persona == COUNSELLOR:
            assert answer.status_code == 200
            assert answer.json()["items"][0]["answers"] == {**voice, "talk": "yes"}
            assert answer.headers["Cache-Control"] == "no-store"
        else:
            assert code(answer) == (404, "not_found"), persona
    for persona, candidate in ((EMPLOYER, None), (DECIDER, None), ("candidate", case.candidate_id)):
        shown = await case_after(world, persona, case, given.json()["position"], candidate)
        assert "voice" not in str(shown).lower()
        assert "voice" not in (await world.as_(persona, candidate).get(f"/trials/{trial_id}")).text.lower()
    shown = await case_after(world, COUNSELLOR, case, given.json()["position"])
    assert shown["trial"]["voices"] == [{"voice_id": given.json()["voice_id"], "given_on": "2025-02-03"}]
    for persona in (EMPLOYER, COUNSELLOR):
        assert code(await world.as_(persona).post(path, voice)) == (403, "forbidden")


async def test_whoever_takes_a_case_has_it_in_their_own_list_and_alone_reads_the_voice(world: World) -> None:
    case, other = await world.confirmed(), await world.confirmed()
    _, trial_id = await world.started(case)
    taken = await world.as_(COUNSELLOR).post(f"/cases/{case.match_id}/counsellor", {})
    assert taken.status_code == 201, taken.text
    again = await world.as_(COUNSELLOR).post(f"/cases/{case.match_id}/counsellor", {})
    assert code(again) == (409, "case_is_yours")
    position = {"min_position": f"followup:{taken.json()['position']}"}
    mine = (await world.as_(COUNSELLOR).get("/cases", mine="true", **position)).json()["items"]
    assert [each["match_id"] for each in mine] == [case.match_id]
    everything = (await world.as_(COUNSELLOR).get("/cases")).json()["items"]
    assert {each["match_id"] for each in everything} == {case.match_id, other.match_id}
    # The same token as somebody else's: another login of the same intermediary.
    await world.app.state.web.service.database("followup")["counsellors"].update_one(
        {"_id": f"persona:{COUNSELLOR}"}, {"$set": {"counsellor_id": "somebody else"}}
    )
    assert code(await world.as_(COUNSELLOR).get(f"/trials/{trial_id}/voices")) == (404, "not_found")
    assert (await world.as_(COUNSELLOR).get("/cases", mine="true")).json()["items"] == []


async def test_a_missed_check_in_raises_a_task_and_blocks_an_extension_until_it_is_held(world: World) -> None:
    case = await world.confirmed()
    _, trial_id = await world.started(case)
    await world.day(date(2025, 3, 10))
    shown = await world.shown(case, lambda shown: bool(shown["trial"].get("missed")))
    assert (shown["trial"]["missed"], shown["next_step"]["step"]) == (["2025-03-03"], "check_in")
    longer = {"end_on": "2025-08-02"}
    refused = await sent(world, COUNSELLOR, f"/trials/{trial_id}/extension", longer)
    assert code(refused) == (409, "check_in_owed")
    held = {"held_on": "2025-03-10", "progress": "needs_attention", "agreed": "Kurs i kassa"}
    await done(world, COUNSELLOR, f"/trials/{trial_id}/check-ins", held)
    told = (await world.as_(COUNSELLOR).get(f"/trials/{trial_id}", notes="true")).json()
    assert told["check_ins"][0]["agreed"] == "Kurs i kassa"
    await done(world, COUNSELLOR, f"/trials/{trial_id}/extension", longer)
    employer = (await world.as_(EMPLOYER).get(f"/trials/{trial_id}")).json()
    assert "progress" not in str(employer)
    assert "missed" not in employer


async def test_a_change_is_proposed_by_one_party_and_accepted_by_the_other_and_a_trial_is_shortened(
    world: World,
) -> None:
    case = await world.confirmed()
    _, trial_id = await world.started(case)
    asked = {"effective_on": "2025-03-01", "hours_per_week": 30.0, "note": "Skole på fredager"}
    told = await done(world, "candidate", f"/trials/{trial_id}/changes", asked, case.candidate_id)
    path = f"/trials/{trial_id}/changes/{told['change_id']}/answer"
    own = await sent(world, "candidate", path, {"accepted": True}, case.candidate_id)
    assert code(own) == (409, "your_own_change")
    accepted = await done(world, EMPLOYER, path, {"accepted": True})
    shown = await case_after(world, EMPLOYER, case, accepted["position"])
    assert [each["state"] for each in shown["trial"]["changes"]] == ["accepted"]
    assert "Skole" not in str(shown)
    shorter = {"end_on": "2025-04-01", "reason": "participant_request"}
    assert code(await sent(world, EMPLOYER, f"/trials/{trial_id}/shortening", shorter)) == (409, "not_yours_to_say")
    await done(world, COUNSELLOR, f"/trials/{trial_id}/shortening", shorter)
    assert (await world.as_(EMPLOYER).get(f"/trials/{trial_id}")).json()["end_on"] == "2025-04-01"


async def test_a_trial_ends_with_a_talk_a_certificate_a_reversal_and_questions_after_3_months(world: World) -> None:
    case = await world.confirmed()
    _, trial_id = await closed(world, case)
    base = f"/trials/{trial_id}"
    await done(world, COUNSELLOR, f"{base}/closing-talk", {"held_on": "2025-05-02", "note": "Godt avsluttet"})
    candidate = world.as_("candidate", case.candidate_id)
    assert code(await candidate.get(f"{base}/certificate")) == (404, "not_found")
    issued = await done(world, COUNSELLOR, f"{base}/certificate", {})
    await case_after(world, COUNSELLOR, case, issued["position"])
    for language, words in (("nb", ("Attest", "2. mai 2025", "Arbeidstrening")), ("en", ("Certificate", "2 May 2025"))):
        answer = await candidate.get(f"{base}/certificate", language=language)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(answer.content)).pages)
        assert "Karim Testesen" in text
        assert all(word in text for word in words), text
    for stranger in (world.as_(EMPLOYER), world.as_(DECIDER), world.as_("counsellor-nav")):
        assert code(await stranger.get(f"{base}/certificate")) == (404, "not_found")
    world.line.cut = True
    assert code(await candidate.get(f"{base}/certificate")) == (503, "name_unavailable")
    world.line.cut = False

    early = {"after_months": 3, "employed": True, "on": "2025-05-02"}
    assert code(await sent(world, COUNSELLOR, f"{base}/employment", early)) == (422, "too_early")
    await world.day(date(2025, 8, 4))
    shown = (await world.as_(COUNSELLOR).get(f"/cases/{case.match_id}")).json()
    assert shown["next_step"] == {
        "step": "confirm_employment",
        "responsible": ["counsellor"],
        "due_on": "2025-08-16",
        "overdue": False,
    }
    await done(world, COUNSELLOR, f"{base}/employment", {"after_months": 3, "employed": True, "on": "2025-08-02"})
    wrong = {"outcome": "no_offer", "reason": "not_fulfilled", "note": "Kontrakten ble ikke signert"}
    reversed_ = await done(world, COUNSELLOR, f"{base}/outcome-reversal", wrong)
    shown = await case_after(world, COUNSELLOR, case, reversed_["position"])
    assert (shown["trial"]["closed"]["outcome"], shown["next_step"]) == ("no_offer", None)
    assert shown["trial"]["reversals"][0]["outcome"] == "hired"
    assert "Kontrakten" not in str(shown)


async def test_access_of_the_parties_ends_12_weeks_after_closing_and_a_repeated_command_is_answered_as_before(
    world: World,
) -> None:
    case = await world.confirmed()
    agreement_id, trial_id = await world.started(case)
    await world.day(date(2025, 2, 4))
    start = {"on": "2025-02-03"}
    assert code(await world.as_(EMPLOYER).post(f"/agreements/{agreement_id}/start", start, version=5)) == (
        409,
        "already_started",
    )
    proposal = {"effective_on": "2025-03-01", "hours_per_week": 30.0}
    first = await world.as_(EMPLOYER).post(f"/trials/{trial_id}/changes", proposal, version=1, key="once")
    assert first.status_code == 201, first.text
    await done(world, COUNSELLOR, f"/trials/{trial_id}/closing", {**CLOSING, "on": "2025-02-04"})
    parties = [world.as_(EMPLOYER), world.as_(DECIDER), world.as_("candidate", case.candidate_id)]
    paths = (f"/cases/{case.match_id}", f"/agreements/{agreement_id}", f"/trials/{trial_id}")
    await world.day(date(2025, 2, 4) + timedelta(weeks=12))
    for party in parties:
        assert [(await party.get(path)).status_code for path in paths] == [200, 200, 200]
        assert len((await party.get("/cases")).json()["items"]) == 1
    await world.day(date(2025, 2, 5) + timedelta(weeks=12))
    for party in parties:
        assert [code(await party.get(path)) for path in paths] == [(404, "not_found")] * 3
        assert (await party.get("/cases")).json()["items"] == []
    fresh = await parties[0].post(f"/trials/{trial_id}/changes", proposal, version=1)
    assert code(fresh) == (404, "not_found")
    again = await parties[0].post(f"/trials/{trial_id}/changes", proposal, version=0, key="once")
    assert (again.status_code, again.headers["Idempotent-Replay"]) == (201, "true")
    assert (await world.as_(COUNSELLOR).get(f"/cases/{case.match_id}")).status_code == 200


async def test_a_draft_that_nobody_touches_is_warned_of_and_expires_and_the_case_waits_for_a_new_one(
    world: World,
) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case, start_on="2025-05-01", end_on="2025-07-31")
    await world.day(date(2025, 3, 31))
    shown = await world.shown(case, lambda shown: "expiring" in (shown["agreement"] or {}))
    assert shown["agreement"]["expiring"] == {"on": "2025-04-07", "days_left": 7}
    await world.day(date(2025, 4, 7))
    shown = await world.shown(case, lambda shown: shown["status"] == "awaiting_agreement")
    assert shown["agreement"]["status"] == "expired"
    events = [each["event"] for each in shown["history"]]
    assert events.count("AgreementExpiring") == 2
    approval = await sent(world, EMPLOYER, f"/agreements/{agreement_id}/approval", {"party": "employer"})
    assert code(approval) == (409, "agreement_expired")
    await world.drafted(case, start_on="2025-05-01", end_on="2025-07-31")
