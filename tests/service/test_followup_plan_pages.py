"""Pages of plans, of the candidate's voice, and of one's own work: without JavaScript, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date

import pytest

from chassis.keyring import KeyringUnavailable
from chassis.settings import Settings
from services.followup import voicepage
from services.followup.core import Followup
from tests.service.followup_helpers import COUNSELLOR, DECIDER, EMPLOYER, World, running
from tests.service.test_followup_pages import Outline, act, log_in, plain
from tests.service.test_followup_plans import slot


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


def form(page: str, action: str) -> dict[str, str]:
    """The hidden fields of one of the page's forms."""
    found = page[page.index(f'action="{action}') :]
    return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', found[: found.index("</form>")]))


async def test_the_clock_shows_each_place_with_its_day_and_next_task_and_a_slot_its_plan(world: World) -> None:
    need = await world.intake.need(EMPLOYER, intermediary="refugee_service")
    slot_id = need["slot_ids"][0]
    await slot(world, slot_id, lambda shown: shown["occupation"] is not None)
    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    clock = await counsellor.get("/clock")
    Outline(clock.text).check()
    assert "0 av 28" in plain(clock.text)
    assert "Kontakt arbeidsgiveren 15. januar 2025" in plain(clock.text)
    page = await counsellor.get(f"/slots/{slot_id}")
    Outline(page.text).check()
    assert "Foreslå en kandidat Veileder 18. januar 2025 Senere" in plain(page.text)
    assert "Plan Felles plan for alle kommuner" in plain(page.text)
    assert "playbook-" not in page.text
    assert "Arbeidsgiver MESTER GRØNN LIER (SYNTETISK) (315486890)" in plain(page.text)
    path = f"/slots/{slot_id}/done"
    typed = {"task": "contact_employer", "on": "2025-01-13"}
    done = await counsellor.post(path, data={**form(page.text, path), **typed})
    assert (done.status_code, done.headers["Location"].split("?")[0]) == (303, f"/slots/{slot_id}")
    shown = await counsellor.get(done.headers["Location"])
    assert "Kontakt arbeidsgiveren Veileder 15. januar 2025 Gjort 13. januar 2025" in plain(shown.text)
    wrong = await counsellor.post(path, data={**form(shown.text, path), "task": "meet", "on": "2025-01-14"})
    assert wrong.status_code == 422
    Outline(wrong.text).check()
    assert "Datoen er ikke kommet ennå" in plain(wrong.text)

    # What is done is offered no more, whether somebody said so here or something later is done.
    assert '<option value="contact_employer"' not in shown.text
    assert '<option value="meet"' in shown.text

    theirs = await employer.get(f"/slots/{slot_id}")
    assert f"/slots/{slot_id}/done" not in theirs.text
    path = f"/slots/{slot_id}/delay"
    delay = {"reason": "meeting_postponed", "from_on": "2025-01-13"}
    reported = await employer.post(path, data={**form(theirs.text, path), **delay})
    shown = await employer.get(reported.headers["Location"])
    assert "Arbeidsgiver: Møtet er utsatt, fra 13. januar 2025" in plain(shown.text)
    english = await employer.get("/clock", headers={"Accept-Language": "en"})
    assert "Delayed by the employer 1 0" in plain(english.text)
    nobody = await (await log_in(world, "candidate", "01JHF3M0Q8C2ZV5X6T7B8C9D0E")).get("/clock")
    assert "Det er ingen plasser å vise." in plain(nobody.text)


async def no_key(*_: object, **__: object) -> None:
    raise KeyringUnavailable


async def test_a_promise_that_was_kept_is_not_shown_as_missed_because_the_start_was_typed_late(world: World) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    version = await world.approved(case, agreement_id)
    counsellor = await log_in(world, COUNSELLOR)
    await world.day(date(2025, 2, 12))
    await slot(world, case.slot_id, lambda shown: shown["missed_on"] is not None)
    page = plain((await counsellor.get(f"/slots/{case.slot_id}")).text)
    assert "Over fristen Plan" in page
    assert "Fristen er passert 11. februar 2025" in page
    start = await world.as_(EMPLOYER).post(f"/agreements/{agreement_id}/start", {"on": "2025-02-03"}, version=version)
    assert start.status_code == 201, start.text
    await slot(world, case.slot_id, lambda shown: shown["clock"]["state"] == "kept")
    page = plain((await counsellor.get(f"/slots/{case.slot_id}")).text)
    assert "Fristen er passert" not in page
    assert "Varslet som passert, før oppstarten var kjent 11. februar 2025" in page


async def test_the_candidate_says_how_it_goes_in_a_language_of_their_own_and_the_counsellor_reads_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await world.confirmed()
    await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")
    candidate = await log_in(world, "candidate", case.candidate_id)
    path = f"/cases/{case.match_id}/voice"
    page = await candidate.get(f"/cases/{case.match_id}")
    assert path in page.text
    for code, title in (("nb", "Hvordan går det?"), ("en", "How is it going?"), ("uk", "Як справи?")):
        asked = await candidate.get(path, params={"form": code})
        Outline(asked.text).check()
        assert f"<h1>{title}</h1>" in asked.text
    arabic = await candidate.get(path, headers={"Accept-Language": "ar,en;q=0.5"})
    assert '<div lang="ar" dir="rtl">' in arabic.text
    hidden = form(arabic.text, path)
    missing = await candidate.post(f"{path}?form=ar", data={**hidden, "talk": "yes"})
    assert missing.status_code == 422
    # All that concerns the form is in its own language: heading, links and sentences.
    within = missing.text[missing.text.index('<div lang="ar" dir="rtl">') : missing.text.index("</main>")]
    assert 'id="errors-title">يجب تصحيح ما يلي قبل المتابعة<' in within
    assert '<a href="#well">كيف تسير الأمور في العمل: الرجاء اختيار إجابة.</a>' in within
    assert re.findall("[a-zæøå]+", plain(within).lower()) == []
    kept = await candidate.post(f"{path}?form=uk", data={**hidden, "text": "it is required now"})
    assert "it is required now" in kept.text
    said = {"well": "good", "help": "no", "talk": "yes", "text": "Jeg trives"}
    with monkeypatch.context() as away:
        away.setattr(voicepage, "give_voice", no_key)
        later = await candidate.post(f"{path}?form=nb", data={**form(missing.text, path), **said})
    assert later.status_code == 503
    Outline(later.text).check()
    assert "Svaret kunne ikke sendes nå. Prøv igjen om litt." in later.text
    assert "Jeg trives" in later.text
    sent = await candidate.post(f"{path}?form=ar", data={**form(missing.text, path), **said})
    assert sent.status_code == 303, sent.text
    thanks = await candidate.get(sent.headers["Location"])
    assert "شكرًا" in thanks.text
    assert "Jeg trives" not in thanks.text

    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    read = await counsellor.get(f"/cases/{case.match_id}")
    Outline(read.text).check()
    assert "Hvordan går det? Bra Får hjelpen som trengs? Nei Vil snakke med veileder? Ja" in plain(read.text)
    assert "Jeg trives" in read.text
    assert "Jeg trives" not in (await employer.get(f"/cases/{case.match_id}")).text
    assert (await employer.get(path)).status_code == 403


async def test_the_counsellor_settles_by_a_form_which_of_two_days_it_was(world: World) -> None:
    case = await world.confirmed()
    await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")
    await world.day(date(2025, 2, 6))
    employer = await log_in(world, EMPLOYER)
    told = await act(employer, case, "wrong-start", on="2025-02-05")
    assert told.status_code == 303, plain(told.text)
    theirs = plain((await employer.get(told.headers["Location"])).text)
    assert "Avklar hvilken dag oppstarten var: Veileder" in theirs
    assert "Annen dag som er oppgitt 5. februar 2025 (Arbeidsgiver)" in theirs
    await world.shown(case, lambda shown: shown["next_step"]["step"] == "settle_start")
    counsellor = await log_in(world, COUNSELLOR)
    asked = await counsellor.get(f"/cases/{case.match_id}/settle")
    Outline(asked.text).check()
    assert "Bekreftet dag 3. februar 2025 (Arbeidsgiver)" in plain(asked.text)
    assert "Annen dag som er oppgitt 5. februar 2025 (Arbeidsgiver)" in plain(asked.text)
    wrong = await act(counsellor, case, "settle", on="2025-02-05")
    assert wrong.status_code == 422
    assert "hvorfor det var en annen dag" in plain(wrong.text)
    right = await act(counsellor, case, "settle", on="2025-02-05", reason="records_show")
    assert right.status_code == 303, plain(right.text)
    page = await counsellor.get(right.headers["Location"])
    Outline(page.text).check()
    assert "På plass 5. februar 2025" in plain(page.text)
    assert "Omgjort startdag 3. februar 2025: Timelister eller vaktplaner viser det" in plain(page.text)
    assert "Startdagen ble omgjort" in plain(page.text)
    done = await counsellor.get(f"/slots/{case.slot_id}")
    assert f"/slots/{case.slot_id}/done" not in done.text


async def test_who_changes_an_agreement_begins_with_what_it_says_and_the_case_shows_what_it_says_now(
    world: World,
) -> None:
    case = await world.confirmed()
    await world.drafted(case)
    await world.shown(case, lambda shown: shown["status"] == "awaiting_approval")
    counsellor = await log_in(world, COUNSELLOR)
    asked = (await counsellor.get(f"/cases/{case.match_id}/change")).text
    assert 'value="2025-02-03"' in asked
    assert '<option value="work_training" selected>' in asked
    typed = dict(re.findall(r'<input id="([a-z_]+)"[^>]* value="([^"]+)"', asked))
    assert typed == {"start_on": "2025-02-03", "end_on": "2025-05-02", "hours_per_week": "37.5"}
    changed = await act(counsellor, case, "change", **{**typed, "measure": "work_training", "hours_per_week": "30"})
    assert changed.status_code == 303, plain(changed.text)
    assert "Timer per uke 30,0 " in plain((await counsellor.get(changed.headers["Location"])).text)


async def test_a_trial_is_changed_talked_about_certified_and_reversed_by_forms_alone(world: World) -> None:
    case = await world.confirmed()
    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    candidate = await log_in(world, "candidate", case.candidate_id)
    await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")

    async def did(browser: object, action: str, **typed: str) -> str:
        answer = await act(browser, case, action, **typed)  # type: ignore[arg-type]
        assert answer.status_code == 303, plain(answer.text)
        return plain((await browser.get(answer.headers["Location"])).text)  # type: ignore[attr-defined]

    await did(counsellor, "take")
    own = plain((await counsellor.get("/?mine=true")).text)
    assert "Alle saker hos formidleren" in own
    assert "Venter på deg: 1" in own
    page = await did(employer, "propose-change", effective_on="2025-03-01", hours_per_week="30")
    assert "Forslag som venter 30,0 timer per uke fra 1. mars 2025" in page
    page = await did(candidate, "accept-change")
    assert "2 1. mars 2025 3. februar 2025 til 2. mai 2025 30,0" in page
    await did(counsellor, "check-in", held_on="2025-02-03", progress="as_planned", agreed="Kurs i kassa")
    await did(counsellor, "shorten", end_on="2025-02-03", reason="participant_request")
    await did(counsellor, "closing-talk", held_on="2025-02-03", note="Godt avsluttet")
    await did(counsellor, "close", on="2025-02-03", outcome="hired", reason="hired_early")
    page = await did(counsellor, "certificate")
    assert "Hent attesten på norsk (PDF)" in page
    pdf = await candidate.get(
        re.findall(r'href="(/trials/[^"]+language=nb)"', (await candidate.get(f"/cases/{case.match_id}")).text)[0]
    )
    assert pdf.content.startswith(b"%PDF")
    page = await did(counsellor, "reverse", outcome="no_offer", reason="not_fulfilled")
    assert "Resultat Fikk ikke tilbud" in page
    await world.day(date(2025, 4, 28))
    assert (await employer.get(f"/cases/{case.match_id}")).status_code == 200
    await world.day(date(2025, 4, 29))
    assert (await employer.get(f"/cases/{case.match_id}")).status_code == 404


async def test_a_dry_run_shows_what_an_extension_would_do_and_an_agreement_is_taken_back_by_forms(
    world: World,
) -> None:
    case, other = await world.confirmed(), await world.confirmed()
    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    await world.drafted(other, start_on="2025-06-02", end_on="2025-07-01")
    await world.shown(other, lambda shown: shown["status"] == "awaiting_approval")
    approved = await act(employer, other, "approve")
    await employer.get(approved.headers["Location"])
    revoked = await act(employer, other, "revoke", note="Feil dato")
    assert "En godkjenning ble trukket" in plain((await employer.get(revoked.headers["Location"])).text)
    annulled = await act(counsellor, other, "annul", reason="registered_by_mistake")
    assert "Avtalen ble annullert" in plain((await counsellor.get(annulled.headers["Location"])).text)

    await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")
    tried = await act(counsellor, case, "extend", end_on="2025-08-02", dry="true")
    assert tried.status_code == 200
    Outline(tried.text).check()
    assert "Siste dag flyttes fra 2. mai 2025 til 2. august 2025. Ingenting er lagret." in plain(tried.text)
    shown = (await world.as_(COUNSELLOR).get(f"/cases/{case.match_id}")).json()
    assert shown["trial"]["extensions"] == []
    too_long = await act(counsellor, case, "extend", end_on="2026-08-02", dry="true")
    assert too_long.status_code == 422
    assert "Siste dag kan senest være" in plain(too_long.text)


async def test_the_wage_of_a_draft_is_turned_into_amounts_on_the_page(world: World) -> None:
    case = await world.confirmed()
    counsellor = await log_in(world, COUNSELLOR)
    typed = {"measure": "temporary_wage_subsidy", "start_on": "2025-02-03", "end_on": "2025-08-02"}
    much = {**typed, "hours_per_week": "37.5", "wage.monthly_wage_nok": "9000000"}
    refused = await act(counsellor, case, "draft", **much)
    assert refused.status_code == 422
    Outline(refused.text).check()
    assert 'id="wage.monthly_wage_nok-error"' in refused.text
    drafted = await act(counsellor, case, "draft", **{**much, "wage.monthly_wage_nok": "45000"})
    page = await counsellor.get(drafted.headers["Location"])
    Outline(page.text).check()
    assert "1. mars 2025 til 31. mars 2025 40 % 23" in plain(page.text).replace("\u00a0", " ")
    assert "45000" not in page.text.replace("\u00a0", "")


async def test_whoever_approves_a_subsidy_sees_what_it_amounts_to_and_is_told_where_that_cannot_be_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await world.confirmed()
    wage = {"monthly_wage_nok": 45000, "holiday_pay_percent": 12, "pension_percent": 2}
    agreement_id = await world.drafted(case, measure="temporary_wage_subsidy", end_on="2025-08-02", wage=wage)
    candidate = ("candidate", case.candidate_id)
    for version, (party, who) in enumerate(
        [("employer", (EMPLOYER,)), ("participant", candidate), ("counsellor", (COUNSELLOR,))], 1
    ):
        path = f"/agreements/{agreement_id}/approval"
        given = await world.as_(*who).post(path, {"party": party}, version=version)
        assert given.status_code == 201, given.text
    await world.shown(case, lambda shown: shown["agreement"]["waiting_for"] == ["decision_maker"])
    decider = await log_in(world, DECIDER)
    page = await decider.get(f"/cases/{case.match_id}/approve")
    Outline(page.text).check()
    told = plain(page.text).replace("\u00a0", " ")
    plan = (await world.as_(DECIDER).get(f"/agreements/{agreement_id}/subsidy-plan")).json()
    assert "3. februar 2025 til 28. februar 2025 40 %" in told
    assert f"Til sammen {plan['sum_nok']:,} kroner.".replace(",", " ") in told
    assert "Hver periode er avrundet til hele kroner" in told
    assert "45000" not in told.replace(" ", "")
    case_page = plain((await decider.get(f"/cases/{case.match_id}")).text)
    assert "Avtalen ble laget Veileder" in case_page

    monkeypatch.setattr(Followup, "person", no_key)
    cut = await decider.get(f"/cases/{case.match_id}/approve")
    assert cut.status_code == 200
    assert "Beløpene kan ikke vises nå. Vent med å svare, og åpne siden igjen om litt." in plain(cut.text)
