"""Where the secrets and the schedule of releases come from.

Invariant: the secrets come from settings or from a file that only its owner can read; they are never shown, and a
release without them is not made. (They live as long as the figures: with other keys the same cell gets other noise.)
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.publications import FREQUENCIES, TOGETHER
from services.reporting.domain.releases import BadSchedule, Schedule

OWN_SCHEDULE = Path(__file__).with_name("releases.toml")
_NAMES = ("record", "noise")
_MOST_BYTES = 10_000


class BadKeys(Exception):
    """There are no usable secrets. The message says what to do, and never what was found."""


class ReleaseSettings(BaseSettings):
    """Settings of releases, beside those of the service. Environment variables begin with `DUGNAD_`."""

    model_config = SettingsConfigDict(env_prefix="DUGNAD_", extra="ignore", frozen=True, hide_input_in_errors=True)

    release_keys_file: Path | None = None
    """A file of mode 600 with the lines `record=…` and `noise=…`, each 64 hexadecimal digits."""
    release_record_key: SecretStr | None = None
    """Instead of the file: the secret of record keys."""
    release_noise_key: SecretStr | None = None
    """Instead of the file: the secret of the noise."""
    release_schedule: Path | None = None
    """When what is published; unset: the schedule that comes with the program."""


def secrets_of(settings: ReleaseSettings) -> Secrets:
    """The two secrets. Raises BadKeys."""
    if settings.release_keys_file is not None:
        found = _of_file(settings.release_keys_file)
    elif settings.release_record_key is not None and settings.release_noise_key is not None:
        found = {
            "record": settings.release_record_key.get_secret_value(),
            "noise": settings.release_noise_key.get_secret_value(),
        }
    else:
        raise BadKeys("set DUGNAD_RELEASE_KEYS_FILE, or both DUGNAD_RELEASE_RECORD_KEY and DUGNAD_RELEASE_NOISE_KEY")
    try:
        return Secrets(**{name: bytes.fromhex(found[name]) for name in _NAMES})
    except (KeyError, ValueError):
        # Without the cause: it quotes what it could not read.
        raise BadKeys("the keys of releases are two different ones, `record` and `noise`, of 64 hex digits") from None


def _of_file(path: Path) -> dict[str, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BadKeys(f"{path} cannot be read ({error.strerror})") from error
    try:
        # Of the file that was opened: another one may stand at the path a moment later.
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise BadKeys(f"{path} is no file")
        if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadKeys(f"others may read {path}: `chmod 600` it, and make new keys if they have")
        if state.st_uid != os.geteuid():
            raise BadKeys(f"{path} belongs to somebody else: the keys of releases are read by their owner only")
        text = os.read(descriptor, _MOST_BYTES).decode("ascii", "replace")
    finally:
        os.close(descriptor)
    lines = (line.strip().partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines if name and not name.startswith("#")}


def schedule_of(settings: ReleaseSettings) -> Schedule:
    """The schedule. Raises BadSchedule."""
    path = settings.release_schedule or OWN_SCHEDULE
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return Schedule.of(document, FREQUENCIES, TOGETHER)
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise BadSchedule(f"{path} cannot be read: {type(error).__name__}") from error
