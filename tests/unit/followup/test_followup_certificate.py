"""The certificate: made from facts, in both languages, with the signs of Norwegian in the file itself."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pypdf
import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from chassis.formats import Language
from chassis.texts import Texts
from contracts.codelists import occupations
from services.followup import app
from services.followup.certificate import RIGHT, Facts, certificate_pdf, printable
from services.followup.voicepage import languages

TEXTS = Texts(app.HERE / "texts")
FACTS = Facts(
    name="Åse Bjørnæs",
    org_number="315486890",
    occupation="5223",
    municipality="3312",
    measure="work_training",
    intermediary="refugee_service",
    from_on="2025-02-03",
    to_on="2025-05-02",
    hours_per_week=37.5,
    issued_on="2025-05-05",
    certificate_id="01JHF3M0Q8X6ZV5X6T7B8C9D0E",
)


def read(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def test_the_certificate_says_the_facts_in_norwegian_and_in_english() -> None:
    norwegian, english = (read(certificate_pdf(FACTS, TEXTS, language)) for language in ("nb", "en"))
    for said in ("Attest", "Åse Bjørnæs", "3. februar 2025", "2. mai 2025", "37,5", "Lier", "Arbeidstrening"):
        assert said in norwegian
    for said in ("Certificate", "Åse Bjørnæs", "3 February 2025", "2 May 2025", "37.5", "Lier", "Work training"):
        assert said in english


def test_the_fonts_are_in_the_file_and_the_same_facts_give_the_same_bytes() -> None:
    pdf = certificate_pdf(FACTS, TEXTS, "nb")
    assert pdf == certificate_pdf(FACTS, TEXTS, "nb") != certificate_pdf(replace(FACTS, name="Ola"), TEXTS, "nb")
    fonts = pypdf.PdfReader(io.BytesIO(pdf)).pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    used = [fonts[name].get_object() for name in fonts]
    embedded = [font for font in used if "/FontDescriptor" in font and "/FontFile2" in font["/FontDescriptor"]]
    assert len(embedded) == 2


def read_aloud(pdf: bytes) -> list[tuple[str, str]]:
    """What a screen reader says: the text of each leaf of the structure tree, with the types from the root to it."""
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    said: dict[int, str] = {}
    now: list[int] = []

    def operand(operator: bytes, operands: Any, _: Any, __: Any) -> None:
        if operator == b"BDC":
            assert not now, "what belongs to two elements is read twice"
            now.append(int(operands[1]["/MCID"]))
        elif operator == b"EMC":
            now.pop()

    def text(found: str, *_: Any) -> None:
        if found.strip():
            assert now, f"outside the structure: {found}"
            said[now[-1]] = said.get(now[-1], "") + found.strip()

    reader.pages[0].extract_text(visitor_operand_before=operand, visitor_text=text)
    catalogue: Any = reader.trailer["/Root"]
    assert not now, "what is opened is closed"
    root = catalogue["/StructTreeRoot"]
    found: list[tuple[str, str]] = []

    def walk(element: Any, parent: Any, path: tuple[str, ...]) -> None:
        here = (*path, str(element["/S"]).lstrip("/"))
        assert element["/P"] == parent
        kids = element["/K"]
        if isinstance(kids, int):
            found.append(("/".join(here), said.pop(kids)))
            assert root["/ParentTree"]["/Nums"][1][kids].get_object() == element
            return
        for kid in kids:
            walk(kid.get_object(), element, here)

    walk(root["/K"].get_object(), root, ())
    assert said == {}, "every text is in the tree"
    return found


@pytest.mark.parametrize(("language", "spoken"), [("nb", "nb-NO"), ("en", "en-GB")])
def test_the_certificate_is_tagged_with_language_and_title_and_reads_in_order(language: Language, spoken: str) -> None:
    pdf = certificate_pdf(FACTS, TEXTS, language)
    catalogue: Any = pypdf.PdfReader(io.BytesIO(pdf)).trailer["/Root"]
    assert (catalogue["/Lang"], bool(catalogue["/MarkInfo"]["/Marked"])) == (spoken, True)
    assert bool(catalogue["/ViewerPreferences"]["/DisplayDocTitle"])
    page: Any = pypdf.PdfReader(io.BytesIO(pdf)).pages[0]
    assert (page["/StructParents"], page["/Tabs"]) == (0, "/S")
    told = read_aloud(pdf)
    assert told[:3] == [
        ("Document/H1", TEXTS.say(language, "certificate.title")),
        ("Document/P", "Åse Bjørnæs"),
        ("Document/P", TEXTS.say(language, "certificate.has_taken_part")),
    ]
    assert told[3:5] == [
        ("Document/Table/TR/TH", TEXTS.say(language, "certificate.employer")),
        ("Document/Table/TR/TD", "315486890"),
    ]
    assert [path.rpartition("/")[2] for path, _ in told[3:-2]] == ["TH", "TD"] * 8
    assert told[-1][1].endswith(FACTS.certificate_id)


def test_nothing_is_printed_beyond_the_edge_of_the_page_and_what_is_broken_is_read_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends: list[float] = []
    texts: list[str] = []
    drawn = Canvas.drawString

    def draw(canvas: Any, x: float, y: float, text: str) -> None:
        ends.append(x + canvas.stringWidth(text.rstrip(), canvas._fontname, canvas._fontsize))
        texts.append(text)
        assert y > 0
        drawn(canvas, x, y, text)

    monkeypatch.setattr(Canvas, "drawString", draw)
    supervisors = "Cleaning and Housekeeping Supervisors in Offices, Hotels and Other Establishments"
    code = next(code for code, found in occupations().items() if found.name_en == supervisors)
    for name in ("Åse Bjørnæs", " ".join(["Abdulrahman"] * 16), "W" * 200):
        told = read_aloud(certificate_pdf(replace(FACTS, name=name, occupation=code), TEXTS, "en"))
        assert max(ends) <= A4[0] - RIGHT
        assert supervisors in "".join(texts)
        assert ("Document/Table/TR/TD", supervisors.replace(" ", "")) in [(at, it.replace(" ", "")) for at, it in told]
        assert told[1][1].replace(" ", "") == name.replace(" ", "")


@pytest.mark.parametrize(
    ("typed", "printed"), [("Æøå é ü š", "Æøå é ü š"), ("Şükrü", "Şükrü"), ("Nguyễn", "Nguyen"), ("محمد", "----")]
)
def test_an_accent_that_the_font_lacks_is_left_out_and_never_printed_as_a_box(typed: str, printed: str) -> None:
    assert printable(typed) == printed


@pytest.mark.parametrize(("effective_on", "hours"), [("2025-05-02", 30.0), ("2025-05-03", 37.5)])
def test_hours_that_were_to_begin_after_the_last_day_were_never_worked(effective_on: str, hours: float) -> None:
    change = {"state": "accepted", "effective_on": effective_on, "hours_per_week": 30.0}
    case = {
        "org_number": FACTS.org_number,
        "intermediary": FACTS.intermediary,
        "match": {"occupation": FACTS.occupation, "municipality": FACTS.municipality},
        "agreements": {"a": {"hours_per_week": 37.5}},
        "trials": {
            "t": {
                "agreement_id": "a",
                "measure": FACTS.measure,
                "on": FACTS.from_on,
                "closed": {"on": FACTS.to_on},
                "changes": [change],
                "certificate": {"issued_on": FACTS.issued_on, "certificate_id": FACTS.certificate_id},
            }
        },
    }
    assert Facts.of(case, "t", FACTS.name) == replace(FACTS, hours_per_week=hours)


def test_codes_of_a_newer_writer_are_printed_as_they_are() -> None:
    text = read(certificate_pdf(replace(FACTS, measure="moon_landing", occupation="0000"), TEXTS, "nb"))
    assert "moon_landing" in text
    assert "0000" in text


def test_the_form_of_the_candidates_voice_has_the_same_sentences_in_every_language() -> None:
    found = languages()
    assert list(found) == ["nb", "en", "uk", "ar"]
    assert len({frozenset(words) for words in found.values()}) == 1
    assert all(words["language"] == code for code, words in found.items())
    assert [code for code, words in found.items() if words["direction"] == "rtl"] == ["ar"]
