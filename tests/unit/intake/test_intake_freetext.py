"""Free text: a national id is refused however it is written, and what tells too much is warned about with why."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts import nationalids
from contracts.refused import Refused
from services.intake.domain.freetext import WarningCode, warnings_about
from tests.unit.intake.test_intake_texts import TEXTS

BORN = st.dates(date(1940, 1, 1), date(2009, 12, 31))


def codes(title: str | None = None, description: str | None = None) -> list[tuple[str, str]]:
    """Field and code of each warning."""
    found = warnings_about({"/title": title, "/description": description})
    return [(each.pointer, each.code) for each in found]


@given(
    born=BORN, serial=st.integers(0, 3), gap=st.sampled_from(["", " ", "-", ".", "  ", "\u2011"]), at=st.integers(1, 10)
)
def test_a_national_id_never_gets_in(born: date, serial: int, gap: str, at: int) -> None:
    number = nationalids.synthetic(born, serial)
    for text in (number, f"Gjelder {number[:at]}{gap}{number[at:]}, som snart er ferdig."):
        with pytest.raises(Refused) as refused:
            codes("Butikk", text)
        assert (refused.value.code, refused.value.fields) == ("national_id_in_text", ("/description",))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Flyktning til lager", ["origin_in_text"]),
        ("Plass for kvoteflyktninger", ["origin_in_text"]),
        ("LØNNSTILSKUDD i butikk", ["subsidy_in_text"]),
        ("Lo\u0308nn", []),
        ("Arbeidstreningsplass i barnehage", ["subsidy_in_text"]),
        ("Refugee wanted for shop", ["origin_in_text"]),
        ("Passer for deg med psykisk uhelse", ["health_in_text"]),
        ("Medarbeider på sosialhjelp", ["benefit_in_text"]),
        ("Sykepleier på natt", []),
        ("Butikkmedarbeider, 37,5 timer", []),
        ("Placement consultant", ["subsidy_in_text"]),
    ],
)
def test_a_title_that_tells_too_much_is_warned_about(title: str, expected: list[str]) -> None:
    assert codes(title) == [("/title", code) for code in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Skriv til kari.kontakt@example.org for mer.", ["email_in_text"]),
        ("Skriv til kari @ example.org.", ["email_in_text"]),
        ("Ring 91234567.", ["phone_in_text"]),
        ("Ring +47 912 34 567 eller 22 22 22 22.", ["phone_in_text"]),
        ("Ring 0047-22222222", ["phone_in_text"]),
        ("Omsetningen var 1 234 567 890 kroner i 2024.", []),
        ("Org.nr 315486890, postnummer 3400 Lier", []),
        ("Fra 08.00 til 16.00, 37,5 timer", []),
        ("Vi kan få lønnstilskudd.", []),
        ("Vi har ansatt flyktninger før.", ["origin_in_text"]),
    ],
)
def test_a_description_is_warned_about(text: str, expected: list[str]) -> None:
    assert codes(description=text) == [("/description", code) for code in expected]


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_same_text_leads_to_the_same_warnings_once_each_in_a_fixed_order(title: str, description: str) -> None:
    texts = {"/title": title, "/description": description}
    assume(not any(nationalids.find(each) for each in texts.values()))
    found = warnings_about(texts)
    assert list(found) == sorted(set(found))
    assert warnings_about(dict(reversed(texts.items()))) == found


def test_every_warning_says_why_in_both_languages() -> None:
    assert [code for code in get_args(WarningCode) if f"field.{code}" not in TEXTS] == []
