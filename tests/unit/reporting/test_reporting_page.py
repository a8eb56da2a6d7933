"""Reporting's page: what may be asked of it, what it answers, and that its charts keep to the policy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from chassis.keyring import KeyringUnavailable
from contracts.refused import Refused
from services.reporting.dashboard import Dashboard, complete_for_all
from services.reporting.domain import regions
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Period, Span
from services.reporting.domain.placements import week_of
from services.reporting.domain.rounding import percentile
from services.reporting.presenting import computed
from services.reporting.reading import Asked, Reading
from services.reporting.requests import typed
from tests.dashboards import Documents, Keys, app_of, both_cases, many_cases
from tests.overviews import trakt, ventetid, ventetid_uker
from tests.tables import TEXTS
from tests.unit.reporting.simulation import simulate
from tests.unit.reporting.test_reporting_recomputed import slots_of
from tests.webapp import settings, token

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
FIELDS = ("from", "to", "region", "measure", "intermediary", "org_number")


async def page(
    path: str = "/",
    views: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    persona: str | None = "analyst",
    language: str = "nb",
    **more: Any,
) -> httpx.Response:
    app = app_of(both_cases() if views is None else views, settings(), **more)
    headers = {"Accept": "text/html", "Accept-Language": language}
    if persona is not None:
        headers["Authorization"] = f"Bearer {token(persona)}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reporting.test") as client:
        return await client.get(path, headers=headers)


def plain(answer: httpx.Response) -> str:
    """The words of a page, with plain spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("views", [both_cases(), many_cases(), {}], ids=["cases", "many", "nothing"])
async def test_the_policy_is_strict_and_the_page_needs_nothing_that_it_forbids(
    views: Mapping[str, Mapping[str, Any]], language: str
) -> None:
    answer = await page(views=views, language=language)
    assert (answer.status_code, answer.headers["content-security-policy"]) == (200, POLICY)
    assert not re.search(r"<(script|style|iframe|object|img)\b|\s(style|on[a-z]+)\s*=|javascript:", answer.text, re.I)
    assert not re.search(r'="-?(nan|inf)(%|em)?"', answer.text.lower())
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids))


async def test_both_cases_are_on_the_page_with_what_each_figure_is_taken_of() -> None:
    told = plain(await page())
    assert "Andel innen 28 dager 100,0 % 2 av 2 plasser" in told
    assert "Median ventetid 24,5 dager av 2 som har startet" in told
    assert "Ni av ti startet innen 28,0 dager av 2 som har startet" in told
    assert "Dag 28: løftet" in told
    assert "Median (versjon 1) Den midterste ventetiden" in told
    assert told.count("Komplett til og med hendelse 41 fra dugnad/followup.") == 1, "for the whole page"
    assert "Virksomhet 311122339: andel av alle ansatte" in told
    assert "10,9 % (2017)" in told
    assert "Hull i CV-en er ikke oppgitt for 2011." in told
    english = plain(await page(language="en"))
    assert "Share within 28 days 100.0% 2 of 2 places" in english
    assert "Day 28: the promise" in english


async def test_an_employer_is_called_by_its_name_where_intake_tells_it() -> None:
    told = plain(await page(called={"311122339": "Direktoratet"}))
    assert "Direktoratet (311122339): andel av alle ansatte" in told
    assert "Direktoratet (311122339): share of employees with" in plain(
        await page(called={"311122339": "Direktoratet"}, language="en")
    )


async def test_a_faint_line_is_explained_only_where_there_is_one() -> None:
    answer = await page()
    employees, immigrants = (
        answer.text.partition(f'id="arbeidsstyrke-311122339-{whole}"')[2].partition("<table>")[0]
        for whole in ("of_employees", "of_immigrants")
    )
    explained = "Stiplet og svak linje: årene mellom er ikke rapportert."
    assert ("apart" in employees, explained in employees) == (True, True)
    assert ("apart" in immigrants, explained in immigrants) == (False, False), "one year alone has no line"


async def test_a_table_with_many_columns_has_the_whole_width_and_others_stand_beside_their_definitions() -> None:
    section = {part.partition('"')[0]: part for part in (await page()).text.split('aria-labelledby="')}
    assert 'class="beside"' in section["ventetid"]
    assert 'class="beside"' not in section["arbeidsstyrke"]


async def test_the_page_is_complete_to_what_all_of_it_counts_and_a_section_that_is_further_says_so() -> None:
    overview = await Reading(Documents(both_cases()), Keys()).overview(Asked())
    further = replace(overview, workforce=replace(overview.workforce, complete_to={"dugnad/intake": 43}))
    complete = complete_for_all(further)
    assert complete == dict.fromkeys(("dugnad/intake", "dugnad/matching", "dugnad/followup", "dugnad/background"), 41)
    sections = Dashboard(TEXTS, "en", complete=complete).sections(further)
    said = {each.id: [note for note in each.notes if "event" in note] for each in sections}
    assert said.pop("arbeidsstyrke") == ["Complete up to event 43 from dugnad/intake."]
    assert not any(said.values())


@pytest.mark.parametrize(
    ("language", "said"),
    [("nb", r"Regnet ut \d+\. \w+ \d{4} kl\. \d\d\.\d\d\."), ("en", r"Computed on \d+ \w+ \d{4} at \d\d:\d\d\.")],
)
async def test_a_page_says_when_its_figures_were_computed(language: str, said: str) -> None:
    assert re.search(said, plain(await page(language=language)))


def test_the_time_of_a_page_is_that_of_oslo() -> None:
    at = datetime(2025, 7, 1, 22, 30, tzinfo=UTC)
    assert computed(at, TEXTS, "nb") == "Regnet ut 2. juli 2025 kl. 00.30."


async def test_nothing_recorded_says_what_to_do_and_draws_nothing() -> None:
    answer = await page(views={})
    assert answer.text.count('class="empty"') == 6
    assert "<svg" not in answer.text
    assert "Slik er det regnet" in answer.text


async def test_an_unreachable_keyring_leaves_out_the_background_and_no_more() -> None:
    answer = await page(raises=lambda person: KeyringUnavailable(person))
    assert answer.status_code == 200
    assert "Bakgrunn kan ikke leses nå. Prøv igjen om litt." in answer.text
    assert 'id="chart-mangfold' not in answer.text
    assert 'id="chart-utfall-title"' in answer.text


async def test_many_employers_get_a_table_and_are_told_how_to_see_a_chart() -> None:
    report = {"head_count": 100, "immigrant_background": 10, "country_group_1": None, "country_group_2": None}
    report |= {"reduced_functional_ability": 1, "cv_gap": 1, "year": 2024}
    views = {"workforce": {str(n): {**report, "org_number": f"31112233{n}"} for n in range(7)}}
    answer = await page(views=views)
    assert "7 virksomheter har rapportert. Velg én for å se figuren." in answer.text
    assert "chart-arbeidsstyrke" not in answer.text
    one = await page("/?org_number=311122339", views={"workforce": {**views["workforce"], **both_cases()["workforce"]}})
    assert one.text.count('class="chart"') == 2


async def test_only_those_who_may_read_tables_see_them() -> None:
    away = await page("/?region=3312", persona=None)
    assert (away.status_code, away.headers["location"]) == (303, "/login?next=%2F%3Fregion%3D3312")
    assert (await page(persona="employer-lier")).status_code == 403


@pytest.mark.parametrize(
    ("query", "selection", "started"),
    [
        ("region=3312", "Lier", 1),
        ("region=lier", "Lier", 1),
        ("region=3312 Lier", "Lier", 1),
        ("region=Buskerud fylke", "Buskerud fylke", 1),
        ("region=0626", "Lier", 1),
        ("region=Oslo", "Oslo", 1),
        ("from=2025&to=2025", "2025", 2),
        ("period=2025M12", "2025M12", 1),
        ("from=2025K4", "2025K4–", 1),
        ("to=2025M11", "–2025M11", 1),
        ("from=2025K1&to=2025M11", "2025K1–2025M11", 1),
        ("measure=work_training&intermediary=refugee_service", "Arbeidstrening, Flyktningtjenesten", 1),
    ],
)
async def test_an_address_says_what_is_shown(query: str, selection: str, started: int) -> None:
    answer = await page(f"/?{query}")
    assert answer.status_code == 200
    assert f'<p class="selection">Utvalg: {selection}</p>' in answer.text
    assert f'<th scope="row">Startet</th><td class="number">{started}</td>' in answer.text


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("region=Atlantis", "region", "Skriv navnet på en kommune eller et fylke, eller nummeret."),
        ("region=9999", "region", "Skriv navnet på en kommune eller et fylke, eller nummeret."),
        ("region=herøy", "region", "Flere steder har dette navnet. Velg et fra listen."),
        ("from=2025M13", "from", "Skriv et år, et kvartal eller en måned: 2025, 2025K1 eller 2025M03."),
        ("to=2025K5", "to", "Skriv et år, et kvartal eller en måned: 2025, 2025K1 eller 2025M03."),
        ("from=2026&to=2025", "to", "Perioden slutter før den begynner. Bytt om fra og til."),
        ("measure=holiday", "measure", "Tiltaket finnes ikke. Velg et fra listen."),
        ("org_number=123456789", "org_number", "Organisasjonsnummeret er ikke gyldig. Skriv ni sifre."),
    ],
)
async def test_what_cannot_be_asked_is_told_at_its_field(query: str, field: str, sentence: str) -> None:
    answer = await page(f"/?{query}")
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert f'<p class="error" id="{field}-error">{sentence}</p>' in answer.text
    assert "<table" not in answer.text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("nb", "Siden kjenner ikke dette i adressen: regon. Rett det eller ta det bort, og velg i skjemaet."),
        ("en", "The page does not know this in its address: regon. Correct or remove it, and choose in the form."),
    ],
)
async def test_a_misspelt_filter_is_named_and_never_gives_the_whole_country(language: str, said: str) -> None:
    answer = await page("/?regon=3312&measure=mentor_grant", language=language)
    assert answer.status_code == 422
    assert f'<li><a href="#filter">{said}</a></li>' in answer.text
    assert '<h2 id="filter">' in answer.text
    assert "<table" not in answer.text
    assert re.search(r'<option value="mentor_grant"[^>]* selected', answer.text), "what is right is kept"


async def test_all_that_is_unknown_in_an_address_is_named_once_with_what_is_wrong_in_it() -> None:
    answer = await page(f"/?Region=33&by=&by=cv_gap&region=Atlantis&<b>=1&{'x' * 500}=1")
    assert answer.status_code == 422
    assert f"i adressen: Region, by, &lt;b&gt;, {'x' * 60}. Rett" in answer.text
    assert 'id="region-error"' in answer.text


def test_all_that_is_wrong_is_told_at_once_and_what_is_right_is_kept() -> None:
    given = dict.fromkeys(FIELDS, "") | {"from": "x", "region": "Våler", "measure": "mentor_grant"}
    asked, wrong = typed(given)
    assert list(wrong.items()) == [("region", "ambiguous_region"), ("from", "bad_period")]
    assert asked.chosen.measure == "mentor_grant"


def test_a_place_is_found_by_its_name_its_number_or_both() -> None:
    for text in ("3312", "3312 Lier", "Lier", " LIER ", "Lier (Buskerud)"):
        assert regions.codes_of(text) == {"3312"}, text
    for text in ("Lier kommune", "lier municipality"):
        assert regions.codes_of(text) == {"3312"}, text
    assert regions.codes_of("Oslo") == regions.codes_of("Oslo kommune") == {"0301"}
    assert regions.codes_of("Oslo fylke") == regions.codes_of("03 Oslo fylke") == {"03"}
    assert regions.codes_of("Våler") == {"3114", "3419"}
    assert regions.codes_of("Våler (Innlandet)") == {"3419"}
    assert regions.codes_of("Atlantis") == frozenset()


def test_a_span_holds_the_months_of_its_ends_and_all_between() -> None:
    span = Span(Period(2024, quarter=4), Period(2025, 2))
    held = {"2024M09": False, "2024M10": True, "2025M02": True, "2025M03": False}
    assert {month: span.holds(month) for month in held} == held
    assert str(span) == "2024K4–2025M02"
    with pytest.raises(Refused) as refused:
        Span(Period(2025, 2), Period(2024, quarter=4))
    assert refused.value.code == "period_reversed"
    Span(Period(2025, 2), Period(2025))


def test_weeks_add_up_to_the_classes_of_waiting_time() -> None:
    slots = slots_of(simulate(3, 200).records())
    for chosen in (Filter(), Filter(period=Span(Period(2023), Period(2024, 6)), region="33")):
        classes = {row["waiting"]: row["slots"] for row in ventetid(slots, chosen, date(2026, 1, 1)).rows}
        table = ventetid_uker(slots, chosen, date(2026, 1, 1))
        weeks: dict[Any, Any] = {row["week"]: row["started"] for row in table.rows}
        assert weeks["total"] > 0
        for code, parts in {"15_28": ("15_21", "22_28"), "29_56": ("29_35", "36_42", "43_49", "50_56")}.items():
            assert sum(weeks[part] for part in parts) == classes[code]
        assert [weeks[code] for code in ("0_7", "8_14", "57_")] == [classes[code] for code in ("0_7", "8_14", "57_")]


@pytest.mark.parametrize(
    ("days", "week"),
    [(0, "0_7"), (7, "0_7"), (8, "8_14"), (21, "15_21"), (22, "22_28"), (28, "22_28"), (29, "29_35"), (57, "57_")],
)
def test_a_start_on_day_28_is_the_last_before_the_line(days: int, week: str) -> None:
    assert week_of(days) == week


def test_the_months_of_a_span_add_up_to_it() -> None:
    slots = slots_of(simulate(3, 60).records())

    def stages(period: Period | Span) -> list[Any]:
        return [row["number"] for row in trakt(slots, Filter(period=period)).rows]

    quarters = [stages(Period(2024, quarter=quarter)) for quarter in (1, 2, 3, 4)]
    assert [sum(each) for each in zip(*quarters, strict=True)] == stages(Period(2024))
    months = [stages(Period(2024, month)) for month in range(2, 8)]
    assert [sum(each) for each in zip(*months, strict=True)] == stages(Span(Period(2024, 2), Period(2024, 7)))


@pytest.mark.parametrize(
    ("days", "expected"),
    [([], None), ([21], 21), ([21, 28], 28), (list(range(1, 11)), 9), (list(range(1, 12)), 10), ([5] * 9 + [90], 5)],
)
def test_nine_of_ten_is_a_waiting_time_that_somebody_had(days: list[int], expected: int | None) -> None:
    assert percentile(Counter(days), 90) == expected


@pytest.mark.parametrize(
    ("text", "period"), [("2025m03", "2025M03"), ("2025k1", "2025K1"), ("2025Q1", "2025K1"), ("2025q4", "2025K4")]
)
def test_a_period_may_be_written_in_small_letters_and_a_quarter_in_english(text: str, period: str) -> None:
    assert str(Period.parse(text)) == period
