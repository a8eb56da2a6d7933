"""The pages of followup work without JavaScript: a list of work, a case with its next step, and a form per action."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date
from html.parser import HTMLParser

import httpx
import pytest

from chassis.settings import Settings
from tests.service.followup_helpers import COUNSELLOR, DECIDER, EMPLOYER, Case, World, running

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def log_in(world: World, persona: str, candidate_id: str = "") -> httpx.AsyncClient:
    """A browser with a session."""
    transport = httpx.ASGITransport(app=world.app)
    browser = httpx.AsyncClient(transport=transport, base_url="http://followup.test", headers=BROWSER)
    answer = await browser.post("/login", data={"persona": persona, "candidate_id": candidate_id, "next": "/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return browser


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the page's own form."""
    form = page[page.index('<form method="post" action="/cases') :]
    return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', form))


def plain(page: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


class Outline(HTMLParser):
    """What a screen reader goes by."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.labelled: set[str] = set()
        self.inputs: list[str] = []
        self.scopes = self.cells = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "label":
            self.labelled.add(str(given["for"]))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.inputs.append(str(given["id"]))
        if tag == "th":
            self.cells += 1
            self.scopes += "scope" in given

    def check(self) -> None:
        assert len(self.ids) == len(set(self.ids))
        assert self.headings[0] == 1
        assert self.headings.count(1) == 1
        assert all(after <= before + 1 for before, after in zip(self.headings, self.headings[1:], strict=False))
        assert set(self.inputs) <= self.labelled
        assert self.scopes == self.cells


async def act(browser: httpx.AsyncClient, case: Case, action: str, **typed: str) -> httpx.Response:
    """Open the form of an action, fill it in, send it."""
    path = f"/cases/{case.match_id}/{action}"
    form = await browser.get(path)
    assert form.status_code == 200, form.text
    Outline(form.text).check()
    return await browser.post(path, data={**hidden(form.text), **typed})


async def test_what_was_typed_on_a_form_that_others_were_faster_than_is_kept_and_can_be_sent_again(
    world: World,
) -> None:
    case = await world.confirmed()
    _, trial_id = await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")
    counsellor = await log_in(world, COUNSELLOR)
    form = await counsellor.get(f"/cases/{case.match_id}/check-in")
    typed = {"held_on": "2025-02-04", "progress": "as_planned", "note": "Trives godt i butikken."}
    await world.day(date(2025, 2, 5))
    other = {"held_on": "2025-02-05", "progress": "as_planned"}
    faster = await world.as_(COUNSELLOR).post(f"/trials/{trial_id}/check-ins", other, version=1)
    assert faster.status_code == 201, faster.text
    path = f"/cases/{case.match_id}/check-in"
    behind = await counsellor.post(path, data={**hidden(form.text), **typed})
    assert behind.status_code == 409, plain(behind.text)
    Outline(behind.text).check()
    assert "Noen andre har endret dette i mellomtiden" in plain(behind.text)
    assert "Trives godt i butikken." in behind.text
    again = await counsellor.post(path, data={**hidden(behind.text), **typed})
    assert again.status_code == 303, plain(again.text)


async def test_who_is_not_logged_in_is_sent_to_the_login(world: World) -> None:
    answer = await world.http.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2F")


async def test_a_list_without_cases_says_how_they_come(world: World) -> None:
    page = await (await log_in(world, COUNSELLOR)).get("/")
    assert "Du har ingen saker. En sak åpnes når en kandidat er bekreftet." in plain(page.text)
    other = await (await log_in(world, "analyst")).get("/")
    assert "Her er det ingenting for deg." in plain(other.text)


async def test_a_case_goes_from_agreement_to_job_by_forms_alone(world: World) -> None:
    case = await world.confirmed()
    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    candidate = await log_in(world, "candidate", case.candidate_id)
    work = await counsellor.get("/")
    Outline(work.text).check()
    assert "Venter på deg" in plain(work.text)
    assert "Butikkmedarbeidere i Lier MESTER GRØNN LIER (SYNTETISK) Lag avtale Veileder 3. februar 2025" in plain(
        work.text
    )

    page = await counsellor.get(f"/cases/{case.match_id}")
    Outline(page.text).check()
    assert "Karim Testesen" in page.text
    assert "Lag avtale: Veileder, senest 3. februar 2025." in plain(page.text)
    drafted = await act(
        counsellor,
        case,
        "draft",
        measure="work_training",
        start_on="2025-02-03",
        end_on="2025-05-02",
        hours_per_week="37,5",
    )
    assert drafted.status_code == 303, drafted.text
    assert drafted.headers["Location"].startswith(f"/cases/{case.match_id}?min_position=followup:")
    shown = plain((await counsellor.get(drafted.headers["Location"])).text)
    assert "Godkjenn avtalen: Arbeidsgiver, Deltaker, senest 3. februar 2025." in shown
    assert "Arbeidsgiver MESTER GRØNN LIER (SYNTETISK) (315486890)" in shown
    assert "3. februar 2025 til 2. mai 2025" in shown
    # Nobody says yes to what the page does not show.
    asked = plain((await employer.get(f"/cases/{case.match_id}/approve")).text)
    assert "Tiltak Arbeidstrening Periode 3. februar 2025 til 2. mai 2025 Timer per uke 37,5" in asked
    for browser, action, typed in (
        (employer, "approve", {}),
        (counsellor, "approve-for", {"party": "participant", "reason": "Mangler BankID"}),
        (counsellor, "approve", {}),
    ):
        sent = await act(browser, case, action, **typed)
        assert sent.status_code == 303, plain(sent.text)
        await browser.get(sent.headers["Location"])
    await world.shown(case, lambda shown: shown["status"] == "awaiting_start")
    assert (await employer.get(f"/cases/{case.match_id}/start")).status_code == 303, "not before the first day"

    await world.day(date(2025, 2, 3))
    for browser, action, typed in (
        (employer, "start", {"on": "2025-02-03"}),
        (counsellor, "check-in", {"held_on": "2025-02-03", "progress": "as_planned", "note": "Godt i gang"}),
        (counsellor, "close", {"on": "2025-02-03", "outcome": "hired", "reason": "hired_early"}),
    ):
        sent = await act(browser, case, action, **typed)
        assert sent.status_code == 303, plain(sent.text)
        page = await browser.get(sent.headers["Location"])
        assert page.status_code == 200
    assert "Godt i gang" in page.text
    assert "Fikk jobben" in plain(page.text)
    assert "Godt i gang" not in (await employer.get(f"/cases/{case.match_id}")).text
    own = await candidate.get(f"/cases/{case.match_id}", headers={"Accept-Language": "en"})
    assert "There is nothing to do in this case now." in plain(own.text)
    assert "3. februar 2025 Kandidaten er på plass Arbeidsgiver" in plain((await candidate.get(page.url.path)).text)


async def test_what_is_wrong_in_a_form_is_said_beside_the_field_and_what_was_typed_stays(world: World) -> None:
    case = await world.confirmed()
    counsellor = await log_in(world, COUNSELLOR)
    answer = await act(
        counsellor,
        case,
        "draft",
        measure="work_training",
        start_on="2025-02-03",
        end_on="2026-02-03",
        hours_per_week="37.5",
    )
    assert answer.status_code == 422
    Outline(answer.text).check()
    assert '<a href="#end_on">Siste dag: Siste dag kan senest være 2. februar 2026.</a>' in answer.text
    assert 'value="2026-02-03"' in answer.text
    empty = await act(counsellor, case, "draft")
    assert empty.status_code == 422
    assert '<a href="#measure">' in empty.text


async def test_a_refusal_of_no_field_is_said_of_the_page_and_a_form_token_of_others_does_not_hold(world: World) -> None:
    case = await world.confirmed()
    await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")
    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    path = f"/cases/{case.match_id}/close"
    typed = {"on": "2025-02-03", "outcome": "hired", "reason": "hired_early"}
    form = hidden((await counsellor.get(path)).text)
    assert (await employer.post(path, data={**form, **typed})).status_code == 403
    token = re.search(r'name="csrf_token" value="([^"]+)"', (await employer.get("/")).text)
    assert token is not None
    refused = await employer.post(path, data={**form, **typed, "csrf_token": token[1]})
    assert refused.status_code == 422
    assert '<a href="#main">Dette er det andre i saken som registrerer.</a>' in refused.text


async def test_a_form_is_offered_to_those_whose_turn_it_is(world: World) -> None:
    case = await world.confirmed()
    employer, decider = await log_in(world, EMPLOYER), await log_in(world, DECIDER)
    for browser in (employer, decider):
        page = plain((await browser.get(f"/cases/{case.match_id}")).text)
        assert "Hva du kan gjøre" not in page
        assert (await browser.get(f"/cases/{case.match_id}/draft")).status_code == 303
    stranger = await log_in(world, "employer-nav")
    assert (await stranger.get(f"/cases/{case.match_id}")).status_code == 404
    assert (await stranger.get(f"/cases/{case.match_id}/draft")).status_code == 404


async def test_without_intake_the_page_is_there_and_says_that_the_name_is_not(world: World) -> None:
    case = await world.confirmed()
    counsellor = await log_in(world, COUNSELLOR)
    world.line.cut = True
    page = await counsellor.get(f"/cases/{case.match_id}")
    assert page.status_code == 200
    assert "Navnet kan ikke vises nå" in page.text


async def test_a_form_without_a_version_is_refused(world: World) -> None:
    case = await world.confirmed()
    await world.drafted(case)
    employer = await log_in(world, EMPLOYER)
    await world.shown(case, lambda shown: shown["status"] == "awaiting_approval")
    path = f"/cases/{case.match_id}/approve"
    fields = hidden((await employer.get(path)).text)
    assert fields["version"] == "1"
    answer = await employer.post(path, data={name: value for name, value in fields.items() if name != "version"})
    assert answer.status_code == 428
