"""A tagged page: what is drawn is marked, and a structure tree says in which order and as what it is read (PDF 1.7).

Invariant: every piece of text belongs to exactly one element of the tree, whose order is that in which it was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName
from reportlab.pdfgen.canvas import Canvas


@dataclass
class Element:
    """Something that is read as one: `kind` is a standard structure type (`H1`, `P`, `Table`, `TR`, `TH`, `TD`)."""

    kind: str
    attributes: dict[str, str] = field(default_factory=dict)
    """Of the attribute owner that `kind` has; `Scope` of a header cell."""
    kids: list[Element] = field(default_factory=list)
    marked: int | None = None
    """The id of the marked content, of an element without kids."""


class TaggedPage:
    """The one page of a document. Call `finish` after everything has been drawn."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._root = Element("Document")
        self._open = [self._root]
        self._marked: list[Element] = []

    @contextmanager
    def within(self, kind: str) -> Iterator[None]:
        """What is drawn meanwhile is part of one element."""
        element = Element(kind)
        self._open[-1].kids.append(element)
        self._open.append(element)
        yield
        self._open.pop()

    def text(self, kind: str, x: float, y: float, said: Sequence[str], leading: float = 0, **attributes: str) -> None:
        """Draw text as an element of its own: its lines one below the other, each `leading` lower."""
        element = Element(kind, attributes, marked=len(self._marked))
        self._open[-1].kids.append(element)
        self._marked.append(element)
        # The library has no operator for marked content; its page is a list of operators.
        self._canvas._code.append(f"/{kind} <</MCID {element.marked}>> BDC")
        for number, line in enumerate(said, 1):
            # Read aloud, the last word of a line and the first of the next one are two.
            self._canvas.drawString(x, y, line if number == len(said) else f"{line} ")
            y -= leading
        self._canvas._code.append("EMC")

    def finish(self) -> None:
        """End the page, and say in the catalogue how it is read."""
        document = self._canvas._doc
        here = document.thisPageRef()
        self._canvas.showPage()
        page = document.Pages.pages[-1]
        # Tabs: S moves in the order of the structure.
        page.__Defaults__ = {**page.__Defaults__, "StructParents": 0, "Tabs": PDFName("S")}
        references: dict[int, Any] = {}
        root = PDFDictionary({"Type": PDFName("StructTreeRoot")})
        tree = document.Reference(root)
        root["K"] = self._placed(self._root, tree, here, references)
        by_content = PDFArray([references[id(each)] for each in self._marked])
        root["ParentTree"] = document.Reference(PDFDictionary({"Nums": PDFArray([0, by_content])}))
        root["ParentTreeNextKey"] = 1
        document.Catalog.StructTreeRoot = root
        document.Catalog.MarkInfo = PDFDictionary({"Marked": "true"})
        self._canvas.setViewerPreference("DisplayDocTitle", "true")

    def _placed(self, element: Element, parent: Any, page: Any, references: dict[int, Any]) -> Any:
        """The element with all below it in the document; a reference to it."""
        made = PDFDictionary({"Type": PDFName("StructElem"), "S": PDFName(element.kind), "P": parent, "Pg": page})
        here = references[id(element)] = self._canvas._doc.Reference(made)
        if element.attributes:
            named = {name: PDFName(value) for name, value in element.attributes.items()}
            made["A"] = PDFDictionary({"O": PDFName("Table"), **named})
        kids = [self._placed(kid, here, page, references) for kid in element.kids]
        made["K"] = element.marked if element.marked is not None else PDFArray(kids)
        return here
