"""`dugnad release`: what is due, sealed, published; and whether a sealed release can be made again.

Invariant: what goes into a release is set by the schedule and by positions of the logs, not by who calls; only
`publish --yes` shows anything to anybody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

from chassis.clock import Clock
from chassis.keyring import KeyringError, RemoteKeyring
from chassis.rebuild import Broken, Headway, Incomplete
from deploy.cli.context import Context, sources_of, unconfirmed
from deploy.cli.heads import instant, positions_at
from deploy.cli.http import service_tokens
from deploy.cli.outcome import FAULT, OK, Fault, Usage, Wanting, fault_of
from services.reporting.domain.releases import BadSchedule, Due, Schedule, due
from services.reporting.making import NEEDED, SERVICE, Releases
from services.reporting.releasekeys import BadKeys, ReleaseSettings, schedule_of, secrets_of
from services.reporting.releases import Damaged, Frozen, Manifest, ReleaseStore, stages_of

SECOND = "."
"""Before the number of a release that is made once more at the same instant."""


async def plan(context: Context) -> int:
    """What is due by now, by the release that it belongs to."""
    store, schedule = _store(context), _schedule(context)
    wanted = await _due(context, store, schedule)
    sealed = set(await store.sealed())
    found = [
        {
            "release": each.release,
            "cutoff": each.cutoff.isoformat(),
            "table": each.table,
            "period": each.period,
            "stage": each.stage.value,
            "sealed": each.release in sealed,
        }
        for each in wanted
    ]
    rows = [
        [str(each[name]) for name in ("release", "table", "period", "stage")] + ["yes" if each["sealed"] else "no"]
        for each in found
    ]
    if not found and not context.options.json:
        context.output.give({}, ["nothing is due"])
    else:
        context.output.table({"due": found}, ("release", "table", "period", "stage", "sealed"), rows)
    return OK


async def seal(context: Context) -> int:
    """Make and seal the oldest release that is due and has something in it, or the one named."""
    store, schedule = _store(context), _schedule(context)
    wanted = await _due(context, store, schedule)
    sealed = set(await store.sealed())
    groups = {release: list(parts) for release, parts in groupby(wanted, key=lambda each: each.release)}
    asked = context.options.release
    open_ones = [release for release in groups if release not in sealed or context.options.again]
    if asked is None and not open_ones:
        raise Usage("nothing is due that is not sealed: `dugnad release plan` says what is due")
    if asked is not None and asked not in groups:
        raise Usage(f"{asked} is not due: `dugnad release plan` says what is")
    made, passed = None, []
    async with _releases(context, schedule) as releases:
        # What has nothing in it is never sealed: the oldest one would stand in the way of all others for ever.
        for release in open_ones if asked is None else [asked]:
            name = _free(release, sealed) if context.options.again else release
            if (made := await _made(context, releases, name, groups[release])) is not None:
                break
            passed.append(name)
    lines = [f"{name}: there is nothing to publish yet" for name in passed]
    if made is None:
        context.output.give({"release": passed[-1], "sealed": False}, lines)
        return OK
    lines += [*_lines(made), f"{made.release} is sealed: publish it, or leave it"]
    context.output.give(made.document(), lines)
    return OK


async def _made(context: Context, releases: Releases, name: str, parts: Sequence[Due]) -> Manifest | None:
    """Sealed; None where there is nothing to publish yet."""
    sources = sorted({source for projection in NEEDED for source in sources_of(projection)})
    positions = await positions_at(context, sources, parts[0].cutoff)
    with context.output.progress(name) as progress:

        def tell(_: str, headway: Headway) -> None:
            progress.tell(headway.folded, headway.total, headway.rate)

        return await releases.seal(name, parts, positions, tell)


async def publish(context: Context) -> int:
    """Show a sealed release to everybody, for ever."""
    store, release = _store(context), context.options.release
    manifest = await _manifest(store, release)
    plan = [f"publish {release}, for ever:", *_lines(manifest)]
    document: dict[str, Any] = {"release": release, "plan": plan, "done": False}
    if not context.options.yes:
        context.output.give(document, plan)
        raise unconfirmed()
    try:
        publication = await store.publish(release, Clock().now())
    except (Frozen, Damaged) as error:
        raise Fault(str(error)) from error
    context.output.give(
        {**document, "done": True, "publication": publication.number}, [*plan, f"{release} is published"]
    )
    return OK


async def list_releases(context: Context) -> int:
    """What has been sealed, and when it was published. Exit code 1 where a manifest cannot be read; all are listed."""
    store = _store(context)
    published = {each.release: each.at.isoformat() for each in await store.publications()}
    sealed = await store.manifests()
    gone = {release: Damaged(f"the manifest of {release} is gone") for release in published if release not in sealed}
    found, damaged, rows = [], [], []
    for release, each in sorted({**sealed, **gone}.items()):
        at = published.get(release)
        if isinstance(each, Damaged):
            damaged.append({"release": release, "published": at, "says": str(each)})
            rows.append([release, "?", at or "no", "damaged", "?"])
            continue
        told = each.document()
        found.append({**told, "published": at})
        rows.append([release, str(len(each.entries)), at or "no", told["hash"][:12], _positions(told)])
    context.output.table(
        {"releases": found, "damaged": damaged}, ("release", "parts", "published", "hash", "positions"), rows
    )
    if damaged:
        raise Fault("; ".join(str(each["says"]) for each in damaged))
    return OK


async def reproduce(context: Context) -> int:
    """Make a sealed release again and compare bytes. Exit code 1 where any differ; nothing is stored or shown."""
    manifest = await _manifest(_store(context), context.options.release)
    async with _releases(context, _schedule(context)) as releases:
        with context.output.progress(manifest.release) as progress:

            def tell(_: str, headway: Headway) -> None:
                progress.tell(headway.folded, headway.total, headway.rate)

            found = await releases.reproduce(manifest, tell)
    document = {
        "release": manifest.release,
        "same": found.same,
        "parts": [{"part": each.entry.key, "same": each.same} for each in found.parts],
        "differences": [{"cause": each.cause.value, "says": each.says} for each in found.differences],
    }
    differing = [each.entry.key for each in found.parts if not each.same]
    lines = [f"{manifest.release}: {len(found.parts) - len(differing)} of {len(found.parts)} parts have the same bytes"]
    if differing:
        lines += [f"others: {', '.join(differing)}", *(each.says for each in found.differences)]
    context.output.give(document, lines)
    return OK if found.same else FAULT


def _lines(manifest: Manifest) -> list[str]:
    return [f"{each.table} {each.period}: {each.stage}, {each.outcome}" for each in manifest.entries]


def _positions(document: dict[str, Any]) -> str:
    return ", ".join(f"{source.rpartition('/')[2]} {at}" for source, at in document["positions"].items())


def _free(release: str, sealed: set[str]) -> str:
    number = 2
    while release in sealed and f"{release}{SECOND}{number}" in sealed:
        number += 1
    return f"{release}{SECOND}{number}" if release in sealed else release


def _store(context: Context) -> ReleaseStore:
    return ReleaseStore(context.database(SERVICE))


def _settings(context: Context) -> ReleaseSettings:
    # From where the other settings come: the two are never mixed.
    return ReleaseSettings(_env_file=context.env_file)


def _schedule(context: Context) -> Schedule:
    try:
        return schedule_of(_settings(context))
    except BadSchedule as bad:
        raise Usage(str(bad)) from bad


async def _due(context: Context, store: ReleaseStore, schedule: Schedule) -> Sequence[Due]:
    at = context.options.at
    now = Clock().now() if at is None else min(instant(at), Clock().now())
    return due(schedule, now, stages_of(await store.publications()))


async def _manifest(store: ReleaseStore, release: str) -> Manifest:
    try:
        found = await store.manifest(release)
    except Damaged as damaged:
        raise Fault(str(damaged)) from damaged
    if found is None:
        raise Usage(f"{release} is not sealed; these are: {', '.join(await store.sealed()) or 'none'}")
    return found


@asynccontextmanager
async def _releases(context: Context, schedule: Schedule) -> AsyncIterator[Releases]:
    """Everything that making a release takes, and its errors as the command tells them."""
    try:
        secrets = secrets_of(_settings(context))
    except BadKeys as bad:
        raise Usage(str(bad)) from bad
    keyring = RemoteKeyring(context.settings.intake_url, service_tokens(context.settings, SERVICE))
    try:
        yield Releases(context.database(SERVICE), context.settings, keyring, secrets, schedule)
    except KeyringError as error:
        # Not what it says: that names a person.
        raise Wanting(f"the keyring gives no key ({type(error).__name__}): nothing was made; try again") from error
    except Incomplete as incomplete:
        name, number = f"{SERVICE}/{incomplete.generation.projection}", incomplete.generation.number
        raise Fault(
            f"{incomplete}, and a release has no holes: see `dugnad parked list {name} --generation {number}`"
        ) from incomplete
    except Broken as broken:
        raise Fault(f"{broken} ({fault_of(broken.__cause__)})") from broken
    except (Frozen, Damaged) as error:
        raise Fault(str(error)) from error
    finally:
        await keyring.aclose()
