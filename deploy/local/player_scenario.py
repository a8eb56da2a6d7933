"""Scenario files: what is played, as data.

Invariant: a file that is not a scenario is refused before anything is sent; steps go forward in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, ValidationError, model_validator

from deploy.local.processes import LocalFault

SCENARIOS = Path(__file__).parent / "scenarios"
NAMES = ("workforce", "lier", "nav")
EXPECTED = SCENARIOS / "expected.json"

ServiceName = Literal["intake", "matching", "followup", "reporting"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Until(_Part):
    """A question to be asked until the answer is 200 and says what is in `where` (JSON pointer: value).

    Once true it must stay true: a second play asks again when everything has happened.
    """

    persona: str
    service: ServiceName
    path: str
    where: dict[str, JsonValue] = {}
    """A value of `{"any": […]}` is met by each of them."""


class Step(_Part):
    """One command. `{name}` in path, persona and body stands for what an earlier step has captured.

    `{intake_position}` and the like are the position of the scenario's last command there.
    """

    id: str
    """With the scenario's name the idempotency key: the same at every play."""
    at: AwareDatetime
    """Where the business clocks stand."""
    persona: str
    """A persona of the development issuer, or `candidate:{candidate_id}`."""
    service: ServiceName
    path: str
    body: dict[str, JsonValue] = {}
    if_match: str | None = None
    """What is read first: its ETag is the version that the command is based on."""
    capture: dict[str, str] = {}
    """Name: JSON pointer into the answer."""
    until: tuple[Until, ...] = ()
    """What must be visible before the next step."""
    note: str = ""


class Scenario(_Part):
    """A case, told as commands of the people in it."""

    name: str
    title: str
    journeys: dict[str, str] = {}
    """Name: partition key of a case whose journey is read at the end."""
    steps: tuple[Step, ...]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = [step.at for step in self.steps]
        if times != sorted(times):
            raise ValueError("steps do not go forward in time")
        ids = [step.id for step in self.steps]
        if len(set(ids)) != len(ids):
            raise ValueError("two steps have the same id")
        return self


def load(names: Sequence[str] = NAMES, folder: Path = SCENARIOS) -> list[Scenario]:
    """The scenario files. Raises LocalFault with one line."""
    return [_load(folder / f"{name}.json") for name in names]


def _load(path: Path) -> Scenario:
    try:
        return Scenario.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LocalFault(f"{path.name} is missing in {path.parent.name}/: restore it from the repository") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise LocalFault(f"{path.name} is not a scenario: {where} {first['msg']}") from None


def in_time_order(scenarios: Sequence[Scenario]) -> list[tuple[Scenario, Step]]:
    """All steps as one history: the business clocks only go forward."""
    steps = [(scenario, step) for scenario in scenarios for step in scenario.steps]
    return sorted(steps, key=_time)


def _time(told: tuple[Scenario, Step]) -> datetime:
    return told[1].at


def filled(value: JsonValue, known: Mapping[str, str]) -> JsonValue:
    """The value with every `{name}` put in. Raises KeyError for a name that nobody has captured."""
    if isinstance(value, str):
        return value.format_map(known)
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, dict):
        return {name: filled(item, known) for name, item in value.items()}
    return value


def pointed(document: JsonValue, pointer: str) -> JsonValue:
    """What a JSON pointer points at. Raises LookupError where there is nothing."""
    for part in pointer.split("/")[1:]:
        if isinstance(document, list):
            document = document[int(part)] if part.isdecimal() else _nothing(part)
        elif isinstance(document, dict):
            document = document[part]
        else:
            _nothing(part)
    return document


def _nothing(part: str) -> JsonValue:
    raise LookupError(part)


def expected() -> dict[str, JsonValue]:
    """What both cases lead to, written by hand."""
    document: dict[str, JsonValue] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return document
