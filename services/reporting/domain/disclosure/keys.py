"""Keys of records and of cells.

Invariant: the same units in the same period and stage have the same key whatever the table, language or format, so the
same people always get the same noise; without the secrets no key tells anything of whom it is made.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

KEY_SPACE = 1 << 64
LEAST_SECRET_BYTES = 32


@dataclass(frozen=True)
class Secrets:
    """The two secrets of releases. Neither is ever shown: not in a text of this object, not in a log."""

    record: bytes = field(repr=False)
    """Of record keys (K_rec)."""
    noise: bytes = field(repr=False)
    """Of the draw of the noise (K_noise)."""

    def __post_init__(self) -> None:
        if min(len(self.record), len(self.noise)) < LEAST_SECRET_BYTES:
            raise ValueError(f"a secret of releases has at least {LEAST_SECRET_BYTES} bytes")
        if hmac.compare_digest(self.record, self.noise):
            # Else a record's key would be a draw of the noise of some cell.
            raise ValueError("the two secrets of releases differ")

    @property
    def fingerprints(self) -> tuple[str, str]:
        """What tells these secrets from others, `record` first, and tells nothing else: keyed hashes of a fixed text.

        One text, where records have two and draws have four: none of them has these bytes.
        """
        record, noise = (_first_bytes(secret, "fingerprint") for secret in (self.record, self.noise))
        return f"{record:016x}", f"{noise:016x}"


def encoded(*parts: str) -> bytes:
    """Texts as bytes that no other texts give: each with its length before it."""
    texts = [part.encode() for part in parts]
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def _first_bytes(secret: bytes, *parts: str) -> int:
    return int.from_bytes(hmac.digest(secret, encoded(*parts), "sha256")[:8], "big")


def record_key(secrets: Secrets, unit: str, unit_id: str) -> int:
    """`rk`: the first 8 bytes of HMAC-SHA256(K_rec, unit type | unit id), as a number below 2^64."""
    return _first_bytes(secrets.record, unit, unit_id)


def draw(secrets: Secrets, unit: str, period: str, stage: str, key_sum: int) -> int:
    """`u` · 2^64: the first 8 bytes of HMAC-SHA256(K_noise, unit type | period | stage | ks).

    A whole number, since a fraction of 53 bits would round some of the highest ones to 1.
    """
    return _first_bytes(secrets.noise, unit, period, stage, str(key_sum))
