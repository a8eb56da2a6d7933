"""The pages of matching on real engines: what each reader sees, and the whole way by forms, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import httpx

from chassis.settings import Settings
from contracts.codelists import adaptations
from contracts.intake import LanguageLevels
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until
from tests.service.test_matching_journey import asked

COUNSELLOR = "counsellor-refugee-service"


class Forms(HTMLParser):
    """The forms of a page: action to the fields that are filled in, and all ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self.ids: list[str] = []
        self._action = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "form":
            self._action = given["action"]
            self.found[self._action] = {}
        elif tag == "input" and given.get("type") == "hidden":
            self.found[self._action][given["name"]] = given["value"]


class Browser:
    """Somebody logged in, who reads pages and sends forms."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.world = world
        self._client = client

    async def log_in(self, persona: str, candidate_id: str = "") -> None:
        sent = {"persona": persona, "candidate_id": candidate_id, "next": "/"}
        answer = await self._client.post("/login", data=sent)
        assert answer.status_code == 303, answer.text

    async def read(self, path: str) -> str:
        answer = await self._client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        page = answer.text
        assert '<html lang="nb">' in page
        assert "<h1>" in page
        ids = Forms(page).ids
        assert len(ids) == len(set(ids)), "an id stands twice"
        assert all("scope=" in head for head in re.findall(r"<th[ >][^>]*", page))
        return page

    async def send(self, page: str, action: str, **typed: str) -> httpx.Response:
        fields: Mapping[str, str] = Forms(page).found[action]
        return await self._client.post(action, data={**fields, **typed})


def browser(world: World) -> Browser:
    client = world.http
    headers = {"Accept": "text/html", "Accept-Language": "nb"}
    return Browser(world, httpx.AsyncClient(transport=client._transport, base_url="http://matching", headers=headers))


async def test_a_match_goes_all_the_way_by_forms(settings: Settings) -> None:
    async with matching_world(settings) as world:
        counsellor, employer, person = browser(world), browser(world), browser(world)
        await counsellor.log_in(COUNSELLOR)
        await employer.log_in("employer-lier")
        assert "Ingen behov ligger hos din formidler nå." in await counsellor.read("/")
        assert "Ingen kandidater er presentert ennå." in await employer.read("/")

        need = await world.need()
        (slot_id,) = need.slot_ids
        name = await world.candidate()
        await person.log_in("candidate", name)
        assert "Du har ingen spørsmål" in await person.read("/")
        await world.get(f"/slots/{slot_id}/candidates")
        front = await counsellor.read("/")
        assert "Butikkmedarbeidere" in front
        assert "10. februar 2025" in front
        assert f'href="/slots/{slot_id}"' in front

        page = await counsellor.read(f"/slots/{slot_id}")
        assert "Har arbeidet i dette yrket. (20 poeng)" in page
        assert "Det er 26 dager igjen." in page
        answer = await counsellor.send(page, f"/slots/{slot_id}/proposal")
        assert answer.status_code == 303, answer.text
        match = answer.headers["location"]

        page = await counsellor.read(match)
        wrong = await counsellor.send(page, f"{match}/steps/question", **{"question-deadline": "2025-01-01"})
        assert wrong.status_code == 422
        assert "Fristen er alt gått ut." in wrong.text
        assert 'aria-invalid="true"' in wrong.text
        assert '<a href="#question-deadline">Svarfrist: Fristen er alt gått ut.' in wrong.text
        # The link to the other language leads back to the address of the form.
        switched = await counsellor._client.get(f"{match}/steps/question")
        assert (switched.status_code, switched.headers["location"]) == (303, match)
        proposed = await counsellor._client.get(f"/slots/{slot_id}/proposal")
        assert (proposed.status_code, proposed.headers["location"]) == (303, f"/slots/{slot_id}")
        asked = await counsellor.send(wrong.text, f"{match}/steps/question", **{"question-deadline": "2025-01-20"})
        assert asked.status_code == 303, asked.text

        async def is_asked() -> bool:
            return match in await person.read("/")

        await until(is_asked, "the question is on the candidate's page")
        # Somebody else answers for a candidate only with a reason: the field is none that may be left out.
        assert 'id="answer-note" name="answer-note" rows="4" maxlength="2000" required' in await counsellor.read(match)
        page = await person.read(match)
        assert 'name="answer-note" rows="4" maxlength="2000" required' not in page
        said = await person.send(page, f"{match}/steps/answer", **{"answer-answer": "accept"})
        assert (said.status_code, said.headers["location"]) == (303, match)
        page_after = await person.read(match)
        assert "Har sagt ja" in page_after
        assert "Veilederen presenterer deg for arbeidsgiveren." in page_after
        # A yes can be taken back, so the way to it stays.
        assert match in await person.read("/")
        again = await person.send(page, f"{match}/steps/answer", **{"answer-answer": "decline"})
        assert again.status_code == 422, "the same form sent again with another answer"

        assert (await counsellor.send(await counsellor.read(match), f"{match}/steps/presentation")).status_code == 303

        async def is_presented() -> bool:
            return match in await employer.read("/")

        await until(is_presented, "the candidate is on the employer's page")
        page = await employer.read(match)
        assert "Butikkmedarbeidere: 30 måneder" in page
        assert "Du svarer på kandidaten." in page
        assert "Du svarer på kandidaten." in await employer.read("/")
        no = await employer.send(page, f"{match}/steps/response", **{"response-response": "not_relevant"})
        assert (no.status_code, "Velg en grunn." in no.text) == (422, True)
        said = await employer.send(page, f"{match}/steps/response", **{"response-response": "interview"})
        assert said.status_code == 303, said.text
        page = await employer.read(match)
        said = await employer.send(page, f"{match}/steps/response", **{"response-response": "wants_to_hire"})
        assert said.status_code == 303, said.text
        page = await employer.read(match)
        held = await employer.send(page, f"{match}/steps/interview", **{"interview-held_on": "2025-01-15"})
        assert held.status_code == 303

        page = await counsellor.read(match)
        assert "Intervju" in page
        assert (await counsellor.send(page, f"{match}/steps/confirmation")).status_code == 303
        page = await counsellor.read(match)
        assert "Avtalen skrives og godkjennes i oppfølgingen." in page


async def test_days_over_the_promise_are_said_as_such_while_a_place_is_open(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        await world.get(f"/slots/{slot_id}/candidates")
        world.services[0].clock.set(datetime(2025, 2, 13, 9, tzinfo=UTC))
        counsellor = browser(world)
        await counsellor.log_in(COUNSELLOR)
        assert "3 over fristen" in await counsellor.read("/")
        page = await counsellor.read(f"/slots/{slot_id}")
        assert "Det er 3 dager over fristen." in page
        assert "-3" not in page


async def test_pages_hide_what_is_not_the_readers(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        match_id = await world.propose(slot_id, await world.candidate())
        stranger = browser(world)
        nobody = await stranger._client.get("/")
        assert (nobody.status_code, nobody.headers["location"]) == (303, "/login?next=%2F")
        await stranger.log_in("counsellor-nav")
        for path in (f"/slots/{slot_id}", f"/matches/{match_id}"):
            answer = await stranger._client.get(path)
            assert answer.status_code == 404
            assert "<h1>" in answer.text
        own = browser(world)
        await own.log_in(COUNSELLOR)
        page = await own.read(f"/matches/{match_id}")
        forged = await own._client.post(
            f"/matches/{match_id}/steps/question",
            data={"question-deadline": "2025-01-20", "idempotency_key": "x", "version": "1"},
        )
        assert forged.status_code == 403
        assert "csrf_token" in page
        await own.log_in("analyst")
        assert "Siden er for formidlere" in await own.read("/")


async def test_a_decision_maker_reads_along_and_is_offered_nothing_that_only_counsellors_may(
    settings: Settings,
) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need(intermediary="nav")).slot_ids
        candidate_id = await world.candidate()
        await world.get(f"/slots/{slot_id}/candidates", "counsellor-nav")
        proposed = await world.post(f"/slots/{slot_id}/matches", {"candidate_id": candidate_id}, "counsellor-nav")
        match_id = proposed.json()["match_id"]
        reader, counsellor = browser(world), browser(world)
        await counsellor.log_in("counsellor-nav")
        await reader.log_in("decision-maker")
        offered, shown = await counsellor.read("/"), await reader.read("/")
        for link in ('href="/plan"', f'href="/slots/{slot_id}"', "Å gjøre nå"):
            assert (link in offered, link in shown) == (True, False), link
        assert "Mester Grønn Lier" in shown
        match = await reader.read(f"/matches/{match_id}")
        assert "/steps/" not in match
        assert f"/slots/{slot_id}" not in match
        assert "/steps/question" in await counsellor.read(f"/matches/{match_id}")


async def test_an_employer_reads_the_whole_short_profile_of_whom_is_presented(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        said: dict[str, Any] = {
            "language": LanguageLevels(listening="B2", reading="A2", speaking="B1"),
            "licences": ("B", "BE"),
            "certificates": ("first_aid",),
            "skills": ("sales",),
            "available_from": date(2025, 2, 1),
        }
        match_id = await world.presented(slot_id, await world.candidate(**said))
        employer = browser(world)
        await employer.log_in("employer-lier")
        page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", await employer.read(f"/matches/{match_id}")))
        for words in (
            "Norsk Lytte: B2 Lese: A2 Snakke: B1 Førerkort",
            "Førerkort B, BE",
            "Kurs og bevis Førstehjelp",
            "Ferdigheter Salg",
            "Kan begynne 1. februar 2025",
        ):
            assert words in page, words


async def test_the_candidate_sees_what_the_answer_is_about(settings: Settings) -> None:
    """Employer by name, work, place, hours, start window, requirements and what the workplace adapts; no points."""
    async with matching_world(settings) as world:
        need = await world.need(
            start_from=date(2025, 2, 3),
            start_to=date(2025, 2, 28),
            hours_per_week=22.5,
            licences=("B",),
            adaptations=("part_time", "simple_norwegian"),
            adaptations_version="2025-01-01",
        )
        name = await world.candidate(licences=("B",))
        (slot_id,) = need.slot_ids
        match_id = await asked(world, slot_id, name)
        person = browser(world)
        await person.log_in("candidate", name)
        page = await person.read(f"/matches/{match_id}")
        for told in ("Mester Grønn Lier", "Butikkmedarbeidere", "Lier", "22,5", "Snakke: A2", "Arbeidstrening"):
            assert told in page, told
        assert "Mellom 3. februar 2025 og 28. februar 2025" in page
        assert all(adaptations()[code].name_nb in page for code in ("part_time", "simple_norwegian"))
        assert "poeng" not in page
        told = (await world.get(f"/matches/{match_id}", "candidate", candidate_id=name)).json()
        assert told["employer_name"] == "Mester Grønn Lier"
        assert (told["work"]["adaptations"], told["work"]["start_to"]) == (
            ["part_time", "simple_norwegian"],
            "2025-02-28",
        )


async def test_lists_tell_people_apart_by_competence_and_a_short_reference(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        name = await world.candidate()
        (slot_id,) = need.slot_ids
        await world.get(f"/slots/{slot_id}/candidates")
        counsellor = browser(world)
        await counsellor.log_in(COUNSELLOR)
        for path in (f"/slots/{slot_id}", "/plan"):
            page = re.sub(r"<(?:input|form|a) [^>]*>", "", await counsellor.read(path))
            assert f'Butikkmedarbeidere <span class="note">referanse {name[-6:]}</span>' in page.replace("\n", " ")
            assert name not in page, "a whole id helps nobody"
            assert "Navn" not in page, "nobody is named before they have said yes"


async def test_a_form_that_is_behind_shows_again_what_was_typed_and_what_has_happened(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        name = await world.candidate()
        (slot_id,) = need.slot_ids
        match = f"/matches/{await asked(world, slot_id, name)}"
        person, counsellor = browser(world), browser(world)
        await person.log_in("candidate", name)
        await counsellor.log_in(COUNSELLOR)
        behind = await counsellor.read(match)
        late_answer = await person.read(match)
        said = await person.send(await person.read(match), f"{match}/steps/answer", **{"answer-answer": "accept"})
        assert said.status_code == 303
        typed_note = "cancellation-note"
        typed = {"cancellation-reason": "other", typed_note: "Ringte: har flyttet"}
        late = await counsellor.send(behind, f"{match}/steps/cancellation", **typed)
        assert late.status_code == 409
        assert "Noen andre har endret dette i mellomtiden (kandidaten har sagt ja)." in late.text
        assert "Ringte: har flyttet</textarea>" in late.text
        sent = await counsellor.send(late.text, f"{match}/steps/cancellation", **typed)
        assert sent.status_code == 303, "based on what the page showed this time"
        gone_back = await counsellor.send(
            late.text, f"{match}/steps/cancellation", **{**typed, typed_note: "Har flyttet"}
        )
        assert gone_back.status_code == 422
        assert "Skjemaet er sendt før, med et annet innhold, og det gjelder." in gone_back.text
        assert "Har flyttet" in gone_back.text
        shown = (await world.get("/audit", "operator", candidate_id=name)).json()["items"]
        reads = [each["what"] for each in shown if each["what"] == "match" and each["role"] == "counsellor"]
        assert len(reads) == 3, "the page, and twice the form with what is wrong"
        # Nobody can take the answer back of a match that has ended: what was written is shown all the same.
        page = await person._client.post(
            f"{match}/steps/answer",
            data={
                **Forms(late_answer).found[f"{match}/steps/answer"],
                "answer-answer": "accept",
                "answer-note": "Kan likevel på fredag",
            },
        )
        assert page.status_code == 409
        assert "Det du skrev, ble ikke sendt" in page.text
        assert "Kan likevel på fredag" in page.text


async def test_a_list_shows_what_its_reader_has_just_done(settings: Settings) -> None:
    """Without a position in the address: the browser remembers how far the log had come."""
    async with matching_world(settings) as world:
        need = await world.need()
        await world.candidate()
        (slot_id,) = need.slot_ids
        await world.get(f"/slots/{slot_id}/candidates")
        counsellor = browser(world)
        await counsellor.log_in(COUNSELLOR)
        answer = await counsellor.send(await counsellor.read(f"/slots/{slot_id}"), f"/slots/{slot_id}/proposal")
        assert answer.status_code == 303
        assert re.search(r"dugnad_seen_matching=matching:\d+; HttpOnly", answer.headers["set-cookie"], re.I)
        assert answer.headers["location"] in await counsellor.read("/"), "at once"
