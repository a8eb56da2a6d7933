"""Parts of forms: each field has a label, a hint and an error that belong to it."""

from __future__ import annotations

import pytest

from chassis.pages import Pages
from chassis.texts import Texts

FIELDS = {
    "text": 'forms.text("f", "Label", "a\\"b", hint="Hint", error="Wrong")',
    "date": 'forms.date("f", "Label", "2025-01-13", hint="Hint", error="Wrong")',
    "number": 'forms.number("f", "Label", 5, hint="Hint", error="Wrong", most=40, step="0.5")',
    "note": 'forms.note("f", "Label", "<b>", hint="Hint", error="Wrong")',
    "choice": 'forms.choice("f", "Label", [("a", "A"), ("b", "B")], "b", hint="Hint", error="Wrong")',
    "radios": 'forms.radios("f", "Label", [("a", "A"), ("b", "B")], "b", hint="Hint", error="Wrong")',
}


def rendered(source: str, language: str = "nb", csrf_token: str | None = "csrf") -> str:
    texts = Texts()
    template = Pages(texts)._environment.from_string('{% import "forms.html" as forms with context %}' + source)
    return template.render(
        t=lambda key, **params: texts.say("nb", key, **params),
        csrf_token=csrf_token,
        new_key=lambda: "new",
        language=language,
    )


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_tied_to_its_label_hint_and_error(field: str) -> None:
    page = rendered("{{ " + FIELDS[field] + " }}")
    assert ('<label for="f">Label' in page) or ("<legend>Label</legend>" in page)
    assert 'id="f"' in page
    assert ' aria-describedby="f-hint f-error" aria-invalid="true"' in page
    assert 'id="f-hint">Hint<' in page
    assert 'id="f-error">Wrong<' in page
    assert "required" in page
    assert "<b>" not in page


def test_a_field_that_is_not_needed_says_so_and_points_at_nothing() -> None:
    page = rendered('{{ forms.text("f", "Label", required=false) }}')
    assert "(valgfritt)" in page
    assert "required" not in page
    assert "aria-" not in page


def test_a_form_carries_its_session_key_and_version_out_of_sight() -> None:
    page = rendered("{{ forms.hidden(3) }}")
    for name, value in (("csrf_token", "csrf"), ("idempotency_key", "new"), ("version", "3")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in page
    assert "version" not in rendered("{{ forms.hidden() }}")


def test_the_summary_leads_to_each_wrong_field() -> None:
    page = rendered('{{ forms.summary({"start_on": "Feltet mangler."}) }}')
    assert 'role="alert"' in page
    assert '<a href="#start_on">Feltet mangler.</a>' in page
    assert rendered("{{ forms.summary({}) }}").strip() == ""


def test_dates_and_numbers_are_written_in_the_readers_language() -> None:
    source = '{{ "2025-01-13" | long_date }} {{ 10.9 | percent }} {{ 13000 | whole }} {{ 7.25 | decimals(2) }}'
    assert rendered(source) == "13. januar 2025 10,9\u00a0% 13\u00a0000 7,25"
    assert rendered(source, "en") == "13 January 2025 10.9% 13,000 7.25"
    names = '{{ [{"n": "Åse"}, {"n": "Anne"}, {"n": "Ærlend"}] | alphabetical("n") | map(attribute="n") | join(" ") }}'
    assert rendered(names) == "Anne Ærlend Åse"


def test_the_summary_says_which_field_is_meant() -> None:
    page = rendered('{{ forms.summary({"deadline": "Feltet mangler.", "why": "Velg."}, {"deadline": "Svarfrist?"}) }}')
    assert '<a href="#deadline">Svarfrist: Feltet mangler.</a>' in page
    assert '<a href="#why">Velg.</a>' in page


def test_no_choice_has_words_where_it_means_something() -> None:
    page = rendered('{{ forms.choice("f", "Label", [("a", "A")], required=false, nothing="Alle") }}')
    assert '<option value="">Alle</option>' in page


@pytest.mark.parametrize("value", ["None", '""'])
def test_a_form_that_comes_back_has_chosen_nothing_for_the_reader(value: str) -> None:
    page = rendered('{{ forms.choice("f", "Label", [("a", "A"), ("b", "B")], ' + value + ") }}")
    assert page.index('<option value="">') < page.index('<option value="a">')
    assert "selected" not in page
