"""What decides a release's bytes beside the log: code, code lists, schedule and keys, each by its hash.

Invariant: a hash tells whether something is another one than when the release was sealed, and nothing else of it. What
a release does not tell, since an earlier version sealed it, is said to be unknown, never taken to be the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import contracts
from chassis.keyring import KeyringOfMany
from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.publications import PUBLICATIONS, WORKFORCE
from services.reporting.domain.releases import Schedule
from services.reporting.domain.trials import UTFALL
from services.reporting.releases import Entry, Manifest

_HERE, _CONTRACTS = Path(__file__).parent, Path(contracts.__file__).parent
_CODE = (
    _HERE / "domain",
    *(_HERE / name for name in ("views.py", "kept.py", "declarations.py", "reading.py", "making.py")),
    # Code lists, days, and how events are read: with others the same events give other facts.
    _CONTRACTS,
)
_COUNTED = {".py", ".csv", ".json", ".toml"}
_SHOWN = 12
"""How much of a hash is said."""
_OF_BACKGROUND = {"mangfold", UTFALL.id}
"""Live tables that tell what persons declared."""


def code_version(wanted: Callable[[Path], bool] = lambda _: True) -> str:
    """The hash of the code and the code lists that facts and tables are made by, or of some of these files."""
    files = sorted(
        (path.relative_to(root.parent).as_posix(), path)
        for root in _CODE
        for path in ([root] if root.is_file() else root.rglob("*"))
        if path.suffix in _COUNTED and wanted(path)
    )
    digest = hashlib.sha256()
    for name, path in files:
        text = path.read_bytes()
        digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _is_data(path: Path) -> bool:
    return path.suffix != ".py"


def origin(schedule: Schedule, secrets: Secrets, destroyed: int) -> dict[str, str]:
    """What a manifest tells of it; `destroyed`: how many keys of persons in the release were gone when it was made."""
    return {
        "program": code_version(lambda path: not _is_data(path)),
        "code_lists": code_version(_is_data),
        "public_bodies": hashlib.sha256(" ".join(sorted(schedule.public_bodies)).encode()).hexdigest(),
        "record_key": secrets.fingerprints[0],
        "noise_key": secrets.fingerprints[1],
        "destroyed_keys": str(destroyed),
    }


class Watched:
    """A keyring that notes how many of the keys it was asked for are destroyed: with them goes what was declared."""

    def __init__(self, keyring: KeyringOfMany) -> None:
        self._keyring = keyring
        self._gone: set[str] = set()

    @property
    def gone(self) -> int:
        """Of how many persons."""
        return len(self._gone)

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        """Raises KeyUnknown, KeyringUnavailable."""
        found = await self._keyring.keys(persons)
        self._gone |= set(persons) - found.keys()
        return found

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        """Raises KeyringUnavailable."""
        found = await self._keyring.destroyed(persons)
        self._gone |= found
        return found


class Cause(StrEnum):
    """Why a part that is made again has other bytes. A public contract: scripts read it."""

    CODE = "code"
    CODE_LISTS = "code_lists"
    SCHEDULE = "schedule"
    KEYS = "keys"
    LOG = "log"


@dataclass(frozen=True)
class Difference:
    """One cause, or one that cannot be ruled out, in a line."""

    cause: Cause
    says: str


def differences(
    manifest: Manifest, here: Mapping[str, str], schedule: Schedule, others: Sequence[Entry]
) -> list[Difference]:
    """Why these parts have other bytes, as far as the manifest tells. `here` is the `origin` of what was made again.

    The log is blamed where a key that opened what is in it is gone, or where nothing else differs.
    """
    if not others:
        return []
    found = list(_certain(manifest, here, schedule, others))
    unexplained = [each for each in others if not any(_explains(cause, each) for cause in {one.cause for one in found})]
    return found + list(_by_exclusion(manifest, unexplained))


def _certain(
    manifest: Manifest, here: Mapping[str, str], schedule: Schedule, others: Sequence[Entry]
) -> Iterator[Difference]:
    then = manifest.made_by
    if then:
        for name, cause, said in (
            ("program", Cause.CODE, "code"),
            ("code_lists", Cause.CODE_LISTS, "code lists"),
        ):
            if then[name] != here[name]:
                yield Difference(cause, _hashes(said, then[name], here[name]))
    elif manifest.code != (now := code_version()):
        yield Difference(Cause.CODE, f"{_hashes('code or code lists', manifest.code, now)} (it does not tell which)")
    if any(each.table == WORKFORCE for each in others):
        if then and then["public_bodies"] != here["public_bodies"]:
            yield Difference(Cause.SCHEDULE, "schedule: it names other public bodies than the one of the release")
        elif not then and manifest.schedule != schedule.version:
            yield Difference(Cause.SCHEDULE, f"schedule: version {manifest.schedule} then, {schedule.version} now")
    if then and any(each.table != WORKFORCE for each in others):
        keys = [name for name in ("record", "noise") if then[f"{name}_key"] != here[f"{name}_key"]]
        if keys:
            yield Difference(Cause.KEYS, f"keys: `{'` and `'.join(keys)}`: not those of the release are given here")
    if any(map(_of_background, others)) and int(here["destroyed_keys"]) > int(then.get("destroyed_keys", 0)):
        yield Difference(Cause.LOG, "log: somebody in it was erased, and what they had declared cannot be read again")


def _by_exclusion(manifest: Manifest, unexplained: Sequence[Entry]) -> Iterator[Difference]:
    if not unexplained:
        return
    tables = ", ".join(dict.fromkeys(each.table for each in unexplained))
    if not manifest.made_by and any(each.table != WORKFORCE for each in unexplained):
        yield Difference(
            Cause.KEYS, f"keys: an earlier version sealed {tables}, and did not note by which; they may be others"
        )
    yield Difference(Cause.LOG, f"log: for {tables} nothing else is known to differ: its events give other facts now")


def _explains(cause: Cause, entry: Entry) -> bool:
    """Whether other bytes of a part can come of it."""
    match cause:
        case Cause.CODE | Cause.CODE_LISTS:
            return True
        case Cause.SCHEDULE:
            return entry.table == WORKFORCE
        case Cause.KEYS:
            return entry.table != WORKFORCE
        case Cause.LOG:
            return _of_background(entry)


def _of_background(entry: Entry) -> bool:
    return entry.table in PUBLICATIONS and PUBLICATIONS[entry.table].of in _OF_BACKGROUND


def _hashes(said: str, then: str, now: str) -> str:
    return f"{said}: {then[:_SHOWN]} then, {now[:_SHOWN]} now"
