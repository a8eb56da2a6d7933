"""Keys per person, and what is sealed with them.

Invariant: only a destroyed key means "erased"; an unreachable keyring is an error, never an answer. A person's
key is made once; once destroyed it is refused for ever.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol, TypeVar

import httpx
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import JsonValue

from chassis import telemetry
from chassis.clock import machine_now
from chassis.errors import DependencyDown
from chassis.mongo import Database, DuplicateKeyError, PyMongoError

KEY_BYTES = 32
AT_ONCE = 500
"""Persons that are asked about in one question."""
NONCE_BYTES = 12
CACHE_SECONDS = 60.0
CACHE_KEYS = 10_000
_TIMEOUT = httpx.Timeout(5.0, connect=2.0)
Told = TypeVar("Told", str, list[Any], dict[str, Any])


class KeyringError(Exception):
    """No key. Which of the three says what it means."""


class KeyDestroyed(KeyringError):
    """The person has been erased: sealed values read as erased."""


class KeyUnknown(KeyringError):
    """No key was ever made for this person."""


class KeyringUnavailable(KeyringError):
    """Nobody could say. Wait and ask again; never take it for an erasure."""


class SealBroken(Exception):
    """Sealed bytes that this key, or this binding, does not open: damaged, or moved from somewhere else."""


class Keyring(Protocol):
    """Where the keys come from."""

    async def key(self, person: str) -> bytes:
        """The person's key. Raises KeyDestroyed, KeyUnknown or KeyringUnavailable."""
        ...


class KeyringOfMany(Protocol):
    """The same for whoever opens what very many have sealed."""

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        """The keys of those persons whose key is not destroyed. Raises KeyUnknown or KeyringUnavailable."""
        ...

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        """Those of the persons whose key is destroyed, asked anew each time. Raises KeyringUnavailable."""
        ...


class ServiceTokenSource(Protocol):
    """Where a service gets its own token from (`chassis.auth.ServiceTokens`)."""

    async def token(self, audience: str | None = None) -> str: ...


def seal(key: bytes, value: Mapping[str, JsonValue], bound_to: str) -> bytes:
    """AES-256-GCM over the value as JSON: a random 96-bit nonce, then the ciphertext.

    `bound_to` (what the value belongs to, such as the subject and the event type) is authenticated with it, so that
    sealed bytes moved to another place do not open there.
    """
    nonce = os.urandom(NONCE_BYTES)
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())


def unseal(key: bytes, blob: bytes, bound_to: str) -> dict[str, JsonValue]:
    """The value again. Raises SealBroken."""
    try:
        plain = AESGCM(key).decrypt(bytes(blob[:NONCE_BYTES]), bytes(blob[NONCE_BYTES:]), bound_to.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken("sealed bytes do not open with this key and binding") from error
    value: dict[str, JsonValue] = json.loads(plain)
    return value


class OwnKeyring:
    """The keyring itself, on a database of its own: `{_id: person, key, created}`, or `{_id, destroyed: true}`."""

    def __init__(self, database: Database) -> None:
        self._keys = database["keys"]

    async def create(self, person: str) -> bytes:
        """Make the person's key, or return the one that is there. Raises KeyDestroyed, KeyringUnavailable."""
        key = AESGCM.generate_key(KEY_BYTES * 8)
        try:
            await self._keys.insert_one({"_id": person, "key": key, "created": machine_now()})
        except DuplicateKeyError:
            # Another registration was first, or the person was erased: what is stored decides, never what came last.
            return await self.key(person)
        except PyMongoError as error:
            raise KeyringUnavailable("the keyring's database does not answer") from error
        return key

    async def key(self, person: str) -> bytes:
        """The person's key. Raises KeyDestroyed, KeyUnknown, KeyringUnavailable."""
        try:
            found = await self._keys.find_one({"_id": person})
        except PyMongoError as error:
            raise KeyringUnavailable("the keyring's database does not answer") from error
        if found is None:
            raise KeyUnknown(person)
        if found.get("destroyed"):
            raise KeyDestroyed(person)
        return bytes(found["key"])

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        """The keys of those persons whose key is not destroyed. Raises KeyUnknown, KeyringUnavailable."""
        keys: dict[str, bytes] = {}
        try:
            for batch in _batches(persons):
                found = {each["_id"]: each async for each in self._keys.find({"_id": {"$in": batch}})}
                for person in batch:
                    if person not in found:
                        raise KeyUnknown(person)
                    if not found[person].get("destroyed"):
                        keys[person] = bytes(found[person]["key"])
        except PyMongoError as error:
            raise KeyringUnavailable("the keyring's database does not answer") from error
        return keys

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        """Those of the persons whose key is destroyed here. Raises KeyringUnavailable."""
        found: set[str] = set()
        try:
            for batch in _batches(persons):
                asked = self._keys.find({"_id": {"$in": batch}, "destroyed": True}, {"_id": 1})
                found |= {each["_id"] async for each in asked}
        except PyMongoError as error:
            raise KeyringUnavailable("the keyring's database does not answer") from error
        return found

    async def present(self, persons: Sequence[str]) -> list[str]:
        """Those of the persons whose key is not destroyed here (or was never made). Raises KeyringUnavailable."""
        destroyed = await self.destroyed(persons)
        return [each for each in persons if each not in destroyed]

    async def destroy(self, person: str) -> None:
        """Erase the person's key and leave a tombstone; doing it again changes nothing."""
        try:
            # One replacement, never delete-then-insert: a registration in between would make a new key.
            await self._keys.replace_one({"_id": person}, {"_id": person, "destroyed": True}, upsert=True)
        except PyMongoError as error:
            raise KeyringUnavailable("the keyring's database does not answer") from error


class RemoteKeyring:
    """Intake's keyring over HTTP. Keys stay in memory for at most 60 s, so that an erasure reaches every process."""

    def __init__(
        self,
        base_url: str,
        tokens: ServiceTokenSource,
        *,
        client: httpx.AsyncClient | None = None,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT, event_hooks={"request": [telemetry.carry]})
        self._elapsed = elapsed
        self._held: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def key(self, person: str) -> bytes:
        """The person's key. Raises KeyDestroyed, KeyUnknown, KeyringUnavailable."""
        asked = self._elapsed()
        held = self._held.get(person)
        if held is not None and asked - held[0] < CACHE_SECONDS:
            return held[1]
        self._held.pop(person, None)
        key = await self._ask(person)
        # Aged from before the question: an erasure while the answer was under way counts from then.
        self._held[person] = (asked, key)
        while len(self._held) > CACHE_KEYS:
            self._held.popitem(last=False)
        return key

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        """The keys of those persons whose key is not destroyed. None is kept. Raises KeyUnknown, KeyringUnavailable."""
        keys: dict[str, bytes] = {}
        for batch in _batches(persons):
            answer = await self._post("/keys", {"candidates": list[JsonValue](batch)})
            if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY and _code(answer) == "key_unknown":
                raise KeyUnknown(f"one of {len(batch)}")
            told = self._told(answer, "keys", dict)
            gone = self._told(answer, "destroyed", list)
            if unsaid := set(batch) - told.keys() - set(gone):
                raise KeyringUnavailable(f"the keyring at {self._base_url} said nothing of {len(unsaid)} persons")
            keys.update((person, self._key(told[person])) for person in batch if person in told)
        return keys

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        """Those of the persons whose key is destroyed; it is forgotten here too. Raises KeyringUnavailable."""
        found: set[str] = set()
        for batch in _batches(persons):
            answer = await self._post("/keys/destroyed", {"candidates": list[JsonValue](batch)})
            found.update(self._told(answer, "destroyed", list))
        for each in found:
            self._held.pop(each, None)
        return found

    async def _post(self, path: str, body: Mapping[str, JsonValue] | None = None) -> httpx.Response:
        try:
            token = await self._tokens.token()
            return await self._client.post(
                f"{self._base_url}{path}", headers={"Authorization": f"Bearer {token}"}, json=body
            )
        except (httpx.HTTPError, DependencyDown) as error:
            raise KeyringUnavailable(f"the keyring at {self._base_url} does not answer") from error

    async def _ask(self, person: str) -> bytes:
        if not person.isascii() or not person.isalnum():
            # The id becomes a part of the path.
            raise KeyUnknown(person)
        answer = await self._post(f"/keys/{person}")
        if answer.status_code == httpx.codes.GONE:
            raise KeyDestroyed(person)
        if answer.status_code == httpx.codes.NOT_FOUND and _code(answer) == "key_unknown":
            raise KeyUnknown(person)
        return self._key(self._told(answer, "key", str))

    def _told(self, answer: httpx.Response, field: str, kind: type[Told]) -> Told:
        if answer.status_code != httpx.codes.OK:
            # Also a 404 that is not the keyring's own: a wrong address must not read as "no such person".
            raise KeyringUnavailable(f"the keyring at {self._base_url} answered {answer.status_code}")
        try:
            told = answer.json()[field]
        except (ValueError, KeyError, TypeError) as error:
            raise KeyringUnavailable(f"the keyring at {self._base_url} answered without {field}") from error
        if not isinstance(told, kind):
            raise KeyringUnavailable(f"the keyring at {self._base_url} answered with another {field}")
        return told

    def _key(self, encoded: object) -> bytes:
        try:
            key = base64.b64decode(str(encoded), validate=True)
        except (ValueError, binascii.Error) as error:
            raise KeyringUnavailable(f"the keyring at {self._base_url} answered something else than a key") from error
        if len(key) != KEY_BYTES:
            raise KeyringUnavailable(f"the keyring at {self._base_url} answered a key of another length")
        return key

    async def aclose(self) -> None:
        """Forget all keys and close the connections."""
        self._held.clear()
        await self._client.aclose()


def _batches(persons: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(persons), AT_ONCE):
        yield list(persons[start : start + AT_ONCE])


def _code(answer: httpx.Response) -> str | None:
    try:
        problem = answer.json()
    except ValueError:
        return None
    return problem.get("code") if isinstance(problem, dict) else None
