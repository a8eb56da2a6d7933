"""Units of the register of legal entities (Enhetsregisteret): who an organisation number is.

Invariant: a register that does not answer keeps nobody from registering a need: it is known or it is not, and only a
unit that the register calls ended is refused.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Protocol

import httpx

from chassis.errors import DependencyDown

ENTITY_PATH = "/enhetsregisteret/api/enheter/"
SUBUNIT_PATH = "/enhetsregisteret/api/underenheter/"
KEPT_SECONDS = 3600.0
KEPT_UNITS = 10_000
_TIMEOUT = httpx.Timeout(3.0, connect=1.0)


@dataclass(frozen=True)
class Unit:
    """A unit as the register has it."""

    org_number: str
    name: str
    kind: Literal["main", "sub"]
    """A main unit is the legal entity; a sub-unit is a place where it works."""
    parent: str | None = None
    """The main unit of a sub-unit."""
    municipality: str | None = None
    """Number of the municipality of its address; as the register has it, perhaps of an older division."""
    industry: str | None = None
    """Standard of industrial classification (SN), for example `47.761`."""
    industry_name: str | None = None
    ended: bool = False
    """Deleted from the register, or bankrupt."""

    def told(self) -> dict[str, Any]:
        """As the API answers it."""
        return asdict(self)


class Register(Protocol):
    """The port. Two adapters: a file, and the register's own HTTP interface."""

    async def unit(self, org_number: str) -> Unit | None:
        """The unit, None where the register has none. Raises DependencyDown."""
        ...


class FileRegister:
    """Units from a JSON file: an array of objects as the register's HTTP interface answers them.

    Works offline; what comes with this package are synthetic units.
    """

    def __init__(self, path: Path | None = None) -> None:
        packaged = files("services.intake").joinpath("data", "units.json")
        text = packaged.read_text("utf-8") if path is None else path.read_text("utf-8")
        self._units = {unit.org_number: unit for unit in map(unit_of, json.loads(text))}

    async def unit(self, org_number: str) -> Unit | None:
        """The unit of the file."""
        return self._units.get(org_number)


class HttpRegister:
    """The register's open interface, without a key. Answers are kept for an hour, also that there is no such unit."""

    def __init__(
        self, base_url: str, *, client: httpx.AsyncClient | None = None, elapsed: Callable[[], float] = monotonic
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT, headers={"Accept": "application/json"})
        self._elapsed = elapsed
        self._kept: OrderedDict[str, tuple[float, Unit | None]] = OrderedDict()

    async def unit(self, org_number: str) -> Unit | None:
        """Asked as a main unit, then as a sub-unit. Raises DependencyDown for anything but an answer."""
        kept = self._kept.get(org_number)
        if kept is not None and self._elapsed() - kept[0] < KEPT_SECONDS:
            return kept[1]
        found = await self._ask(ENTITY_PATH, org_number) or await self._ask(SUBUNIT_PATH, org_number)
        self._kept[org_number] = (self._elapsed(), found)
        while len(self._kept) > KEPT_UNITS:
            self._kept.popitem(last=False)
        return found

    async def _ask(self, path: str, org_number: str) -> Unit | None:
        try:
            answer = await self._client.get(f"{self._base_url}{path}{org_number}")
            if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                # 410 is a unit that was deleted for being registered by mistake: as if it had never been.
                return None
            answer.raise_for_status()
            return unit_of(answer.json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DependencyDown(f"Enhetsregisteret at {self._base_url} does not answer as expected") from error


def unit_of(told: Mapping[str, Any]) -> Unit:
    """A unit from the register's JSON. Raises KeyError, TypeError for something else."""
    address = told.get("forretningsadresse") or told.get("beliggenhetsadresse") or {}
    industry = told.get("naeringskode1") or {}
    parent = told.get("overordnetEnhet")
    sub = "beliggenhetsadresse" in told or (parent is not None and "forretningsadresse" not in told)
    return Unit(
        org_number=str(told["organisasjonsnummer"]),
        name=str(told["navn"]),
        kind="sub" if sub else "main",
        parent=None if parent is None else str(parent),
        municipality=address.get("kommunenummer"),
        industry=industry.get("kode"),
        industry_name=industry.get("beskrivelse"),
        ended=told.get("slettedato") is not None or told.get("konkurs") is True,
    )
