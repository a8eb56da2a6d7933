"""Words on codes: titles, variables, contents, notes, in the language of the request.

Invariant: every code of a table has a label that is not empty and that no other code of its variable has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from chassis.formats import Language
from chassis.texts import Texts
from services.reporting.domain import regions
from services.reporting.domain.background import CODES
from services.reporting.domain.cube import CONTENTS, Content, Described, Dimension, Missing, Role
from services.reporting.domain.diversity import CHARACTERISTICS

EMPLOYER = "Virksomhet"
"""The variable whose codes are organisation numbers."""
_COLUMN = {"ventetid": "waiting", "trakt": "stage", "utfall": "outcome", "oppfolging": "follow_up"}
"""Under which column of the short table a content has its words."""


@dataclass(frozen=True)
class Labels:
    """The words of one language."""

    texts: Texts
    language: Language
    called: Mapping[str, str] = field(default_factory=dict)
    """Employers' names by their numbers, as far as they are known, no two alike (`told_apart`)."""

    def say(self, key: str, **params: object) -> str:
        """A sentence of the catalogue."""
        return self.texts.say(self.language, key, **params)

    def name(self, table: Described) -> str:
        """What a table is called, without its variables."""
        return self.say(f"table.{table.id}.title")

    def title(self, table: Described) -> str:
        """The name with the variables: `Fra behov til jobb, etter region, tiltak og måned`."""
        names = [self.dimension(each).lower() for each in table.dimensions]
        listed = ", ".join(names[:-1]) + f" {self.say('px.and')} {names[-1]}" if len(names) > 1 else names[0]
        return self.say("px.by", title=self.name(table), variables=listed)

    def dimension(self, dimension: Dimension) -> str:
        """What a variable is called; time is called after the length of its periods."""
        longer = f"dimension.{dimension.id}_{dimension.labels}"
        return self.say(longer if longer in self.texts else f"dimension.{dimension.id}")

    def codes(self, table: Described, dimension: Dimension) -> dict[str, str]:
        """Code and label, in the order of the codes."""
        return {code: self.code(table, dimension, code) for code in dimension.codes}

    def code(self, table: Described, dimension: Dimension, code: str) -> str:
        """What one code stands for; periods speak for themselves, and so do organisation numbers without a name."""
        match dimension.role:
            case Role.TIME:
                return code
            case Role.REGION:
                return self._region(code)
            case Role.CONTENTS:
                return self.content(table, code)
            case Role.CLASSIFICATION:
                return self._classification(dimension, code)

    def _region(self, code: str) -> str:
        name = regions.name(code)
        if name is None:
            return self.say(f"code.region.{code}")
        # Oslo is both: the same label twice would put two places into one row of whoever reads labels.
        return self.say("region.county", name=name) if code in regions.counties() else name

    def content(self, table: Described, code: str) -> str:
        """What is counted or measured. A published cut of a table has the words of that table."""
        table_id = table.dimension(CONTENTS).labels or table.id
        keys = (f"content.{table_id}.{code}", f"figure.{table_id}.{code}", f"code.{_COLUMN.get(table_id)}.{code}")
        return self.say(next(key for key in keys if key in self.texts))

    def _classification(self, dimension: Dimension, code: str) -> str:
        if dimension.id == EMPLOYER:
            return self.called.get(code, code)
        key = f"code.{dimension.labels}.{code}"
        if key in self.texts:
            return self.say(key)
        for name in CHARACTERISTICS:
            part = code.removeprefix(f"{name}_")
            if part in CODES[name] and part != code:
                return f"{self.say(f'column.{name}')}: {self.say(f'code.{name}.{part}').lower()}"
        raise KeyError(f"{dimension.id}={code} has no label")

    def unit(self, content: Content) -> str:
        """In what it is measured."""
        return self.say(f"unit.{content.kind.value}")

    def definitions(self, content: Content) -> list[str]:
        """The sentences that say what a content is, with their versions."""
        return [
            self.say("px.definition", what=each.name, sentence=self.say(each.text_key), version=each.version)
            for each in content.definitions
        ]

    def notes(self, table: Described) -> list[str]:
        """What a reader has to know: of the figures, of the symbols, and up to where everything is counted."""
        said = [self.say(f"note.{each.key}", **each.params) for each in table.notes]
        said += [self.symbol(each) for each in Missing]
        if table.complete_to:
            said.append(self.say("px.complete_to", positions=complete_text(table.complete_to)))
        return said

    def symbol(self, missing: Missing) -> str:
        """What stands in the place of a number."""
        return self.say("px.confidential" if missing is Missing.CONFIDENTIAL else "px.not_available")


def told_apart(called: Mapping[str, str]) -> dict[str, str]:
    """Names as labels: whoever reads labels takes two employers of one name for one, so their numbers go with it."""
    named = {number: words for number, name in called.items() if (words := " ".join(name.split()))}
    bearers = Counter(name.casefold() for name in named.values())
    return {number: name if bearers[name.casefold()] == 1 else f"{name} ({number})" for number, name in named.items()}


def complete_text(complete_to: Mapping[str, int]) -> str:
    """`intake@12, matching@30`."""
    return ", ".join(f"{source.rpartition('/')[2]}@{position}" for source, position in complete_to.items())
