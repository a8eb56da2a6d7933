"""`dugnad log head`: how far a log goes, or went by an instant."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.cli.context import Context
from deploy.cli.http import ask
from deploy.cli.outcome import OK, Usage


async def log_head(context: Context) -> int:
    """Per log of a service its last position."""
    at = context.options.at
    query = None if at is None else {"at": written(instant(at))}
    document = await ask(context.settings, context.options.service, "/log/head", query)
    rows = [[each["source"], str(each["position"]), each["recorded"] or "never"] for each in document["logs"]]
    context.output.table(document, ("source", "position", "recorded"), rows)
    return OK


async def positions_at(context: Context, sources: dict[str, str], at: datetime) -> dict[str, int]:
    """The last position of each source recorded by an instant; `sources` says which service to ask."""
    found: dict[str, int] = {}
    for service in sorted(set(sources.values())):
        document = await ask(context.settings, service, "/log/head", {"at": written(at)})
        found |= {each["source"]: each["position"] for each in document["logs"] if each["source"] in sources}
    return found


def instant(text: str) -> datetime:
    """With an offset. Raises Usage."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Usage(f"{text} is not an instant: give it like 2025-03-01T09:00:00Z")
    return at.astimezone(UTC)


def written(at: datetime) -> str:
    """As it goes into a query."""
    return at.isoformat().replace("+00:00", "Z")
