"""What the code says of itself, for comparison with the files that are deployed."""

from __future__ import annotations

from pydantic import AliasChoices

from chassis import telemetry
from chassis.settings import Settings

SERVICES = ("intake", "matching", "followup", "reporting")


def variables() -> set[str]:
    """The environment variables that the settings read, and those that say where traces go."""
    found = set(telemetry.ENDPOINTS)
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        found.add(str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"DUGNAD_{name.upper()}")
    return found
