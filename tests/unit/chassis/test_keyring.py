"""Seals, and the keyring over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from chassis.errors import DependencyDown
from chassis.keyring import (
    KeyDestroyed,
    KeyringError,
    KeyringUnavailable,
    KeyUnknown,
    RemoteKeyring,
    SealBroken,
    seal,
    unseal,
)

KEY, OTHER = b"k" * 32, b"o" * 32
WORTH: dict[str, JsonValue] = {
    "name": "Åse Ødegård",
    "birth_date": "1990-05-17",
    "phones": ["+47 99 99 99 99"],
    "x": None,
}


def test_what_is_sealed_opens_again_with_its_key_and_binding() -> None:
    assert unseal(KEY, seal(KEY, WORTH, "candidate:1"), "candidate:1") == WORTH


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(alphabet=st.characters(exclude_categories=["Cs"]))),
    )
)
def test_any_plain_value_survives_sealing(value: dict[str, JsonValue]) -> None:
    assert unseal(KEY, seal(KEY, value, "b"), "b") == value


def test_a_seal_shows_nothing_and_is_never_the_same_twice() -> None:
    one, two = seal(KEY, WORTH, "b"), seal(KEY, WORTH, "b")
    assert one != two
    assert one[:12] != two[:12]
    assert b"degar" not in one
    assert b"1990" not in one


@pytest.mark.parametrize(
    "open_it",
    [
        lambda blob: unseal(OTHER, blob, "b"),
        lambda blob: unseal(KEY, blob, "elsewhere"),
        lambda blob: unseal(KEY, blob[:-1], "b"),
        lambda blob: unseal(KEY, blob[:-1] + bytes([blob[-1] ^ 1]), "b"),
        lambda blob: unseal(KEY, b"", "b"),
        lambda blob: unseal(KEY, blob[:12], "b"),
    ],
    ids=["other key", "moved", "cut", "flipped", "empty", "nonce only"],
)
def test_a_damaged_or_moved_seal_does_not_open(open_it: Callable[[bytes], object]) -> None:
    with pytest.raises(SealBroken):
        open_it(seal(KEY, WORTH, "b"))


class Tokens:
    async def token(self, audience: str | None = None) -> str:
        return "service-token"


class Intake:
    """The keyring's other end."""

    def __init__(self) -> None:
        self.answer: httpx.Response | Exception = httpx.Response(200, json={"key": base64.b64encode(KEY).decode()})
        self.asked: list[httpx.Request] = []
        self.now = 0.0

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def keyring(self) -> RemoteKeyring:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        return RemoteKeyring("http://intake.test/", Tokens(), client=client, elapsed=lambda: self.now)


async def test_a_key_is_asked_with_the_services_token_and_the_id_in_the_path() -> None:
    intake = Intake()
    assert await intake.keyring().key("01A") == KEY
    assert (intake.asked[0].method, intake.asked[0].url.path) == ("POST", "/keys/01A")
    assert intake.asked[0].headers["authorization"] == "Bearer service-token"


async def test_a_key_is_kept_for_at_most_a_minute() -> None:
    intake = Intake()
    keyring = intake.keyring()
    await keyring.key("01A")
    intake.now = 59.9
    await keyring.key("01A")
    assert len(intake.asked) == 1
    intake.now = 60.0
    intake.answer = httpx.Response(410, json={"code": "key_destroyed"})
    with pytest.raises(KeyDestroyed):
        await keyring.key("01A")


async def test_which_of_many_are_destroyed_is_asked_some_at_a_time_and_their_keys_are_forgotten() -> None:
    intake = Intake()
    keyring = intake.keyring()
    persons = [f"{number:04d}" for number in range(1_001)]
    await keyring.key("0007")
    intake.asked.clear()
    intake.answer = httpx.Response(200, json={"destroyed": ["0007"]})
    assert await keyring.destroyed(persons) == {"0007"}
    assert {each.url.path for each in intake.asked} == {"/keys/destroyed"}
    batches = [json.loads(each.content)["candidates"] for each in intake.asked]
    assert [len(each) for each in batches] == [500, 500, 1]
    assert [person for each in batches for person in each] == persons
    intake.answer = httpx.Response(410, json={"code": "key_destroyed"})
    with pytest.raises(KeyDestroyed):
        await keyring.key("0007")
    intake.asked.clear()
    assert await keyring.destroyed([]) == set()
    assert intake.asked == []


async def test_keys_of_many_are_asked_for_some_at_a_time_and_are_not_kept() -> None:
    intake = Intake()
    keyring = intake.keyring()
    encoded = base64.b64encode(KEY).decode()
    intake.answer = httpx.Response(200, json={"keys": {"01A": encoded}, "destroyed": ["01B"]})
    for _ in range(2):
        assert await keyring.keys(["01A", "01B"]) == {"01A": KEY}
    assert [each.url.path for each in intake.asked] == ["/keys", "/keys"]
    intake.answer = httpx.Response(422, json={"code": "key_unknown"})
    with pytest.raises(KeyUnknown):
        await keyring.keys(["01A", "01C"])


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="nginx"),
        httpx.Response(403),
        httpx.Response(503),
        httpx.Response(200, json={"keys": {}}),
        httpx.Response(200, json={"keys": [], "destroyed": ["01A"]}),
        httpx.Response(200, json={"keys": {"01A": "AAAA"}, "destroyed": []}),
        httpx.Response(200, json={"keys": {"01A": None}, "destroyed": []}),
        httpx.Response(200, json={"keys": {}, "destroyed": []}),
        httpx.ReadTimeout("slow"),
    ],
)
async def test_a_person_of_whom_nothing_was_said_is_not_taken_for_erased(answer: httpx.Response | Exception) -> None:
    intake = Intake()
    intake.answer = answer
    with pytest.raises(KeyringUnavailable):
        await intake.keyring().keys(["01A"])


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"code": "key_unknown"}),
        httpx.Response(403),
        httpx.Response(503),
        httpx.Response(200, text="hello"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"destroyed": None}),
        httpx.ConnectError("refused"),
    ],
)
async def test_nobody_is_taken_for_there_whom_the_keyring_has_not_been_asked_about(
    answer: httpx.Response | Exception,
) -> None:
    intake = Intake()
    intake.answer = answer
    with pytest.raises(KeyringUnavailable):
        await intake.keyring().destroyed(["01A"])


async def test_an_expired_key_is_not_used_while_the_keyring_is_away() -> None:
    intake = Intake()
    keyring = intake.keyring()
    await keyring.key("01A")
    intake.now, intake.answer = 61.0, httpx.ConnectError("refused")
    with pytest.raises(KeyringUnavailable):
        await keyring.key("01A")


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (httpx.Response(410, json={"code": "key_destroyed"}), KeyDestroyed),
        (httpx.Response(404, json={"code": "key_unknown"}), KeyUnknown),
        (httpx.Response(404, text="nginx"), KeyringUnavailable),
        (httpx.Response(404, json={"code": "not_found"}), KeyringUnavailable),
        (httpx.Response(401, json={"code": "token_invalid"}), KeyringUnavailable),
        (httpx.Response(403, json={"code": "forbidden"}), KeyringUnavailable),
        (httpx.Response(500), KeyringUnavailable),
        (httpx.Response(503), KeyringUnavailable),
        (httpx.Response(200, text="hello"), KeyringUnavailable),
        (httpx.Response(200, json={"key": "AAAA"}), KeyringUnavailable),
        (httpx.Response(200, json={"key": None}), KeyringUnavailable),
        (httpx.Response(200, json=[]), KeyringUnavailable),
        (httpx.ConnectError("refused"), KeyringUnavailable),
        (httpx.ReadTimeout("slow"), KeyringUnavailable),
    ],
)
async def test_only_the_keyrings_own_word_means_erased_or_unknown(
    answer: httpx.Response | Exception, raised: type[KeyringError]
) -> None:
    intake = Intake()
    intake.answer = answer
    with pytest.raises(raised):
        await intake.keyring().key("01A")


async def test_a_service_without_its_own_token_cannot_say_who_is_erased() -> None:
    class NoTokens(Tokens):
        async def token(self, audience: str | None = None) -> str:
            raise DependencyDown("no token")

    with pytest.raises(KeyringUnavailable):
        await RemoteKeyring("http://intake.test", NoTokens()).key("01A")


async def test_an_id_that_would_change_the_path_is_unknown_and_asked_nowhere() -> None:
    intake = Intake()
    for person in ("../metrics", "a/b", "a?b", "", "å"):
        with pytest.raises(KeyUnknown):
            await intake.keyring().key(person)
    assert intake.asked == []
