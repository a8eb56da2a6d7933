"""The image, built as it is deployed, and the four services started from it: read-only, without rights, not as root.

Where neither podman nor docker can do that, the tests are skipped and the run says why.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from chassis.settings import Settings
from deploy.image.__main__ import TAG, build
from deploy.image.containers import Container, Containers, NotPossible
from deploy.local.engine import READY_SECONDS
from deploy.local.player import Player
from deploy.local.player_scenario import load
from deploy.local.processes import free_port, until
from deploy.local.services import NAMES
from deploy.native import LIBRARY
from tests.saying import say

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def containers(request: pytest.FixtureRequest) -> Containers:
    """What built the image, and can run it here."""
    try:
        containers = build()
        containers.probe(TAG)
    except NotPossible as reason:
        say(request.config, f"NOT RUN: the image of the services: {reason}")
        pytest.skip(str(reason))
    return containers


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    """As the compose file sets it, but for addresses."""
    return {
        "DUGNAD_ENVIRONMENT": "development",
        "DUGNAD_DEV_ISSUER_KEY": token_hex(24),
        "DUGNAD_SYNTHETIC_ORG_NUMBERS": "true",
        "DUGNAD_HOST": "127.0.0.1",
        "DUGNAD_PREFIX": settings.prefix,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "MONGODB_URI": settings.mongodb_uri,
    }


async def until_ready(url: str, container: Container) -> None:
    async with httpx.AsyncClient(base_url=url) as client:

        async def settled() -> bool:
            try:
                return container.exit_code is not None or (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        assert await until(settled, READY_SECONDS), container.said
        assert container.exit_code is None, container.said


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Container]]:
    """Containers that must not outlive the test."""
    started: list[Container] = []
    yield started
    for container in started:
        container.stop()


@pytest.fixture
async def system(
    containers: Containers, environ: dict[str, str], started: list[Container], tmp_path: Path
) -> dict[str, str]:
    """The four services from the image; their addresses."""
    ports = {name: free_port() for name in NAMES}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    shared = {**environ, **{f"DUGNAD_{name.upper()}_URL": url for name, url in urls.items()}}
    for name, port in ports.items():
        own = {**shared, "DUGNAD_PORT": str(port), "DUGNAD_METRICS_PORT": str(free_port())}
        log = tmp_path / f"{name}.log"
        started.append(containers.start(f"dugnad-{name}-{token_hex(4)}", TAG, [f"services.{name}"], own, log))
    await asyncio.gather(*(until_ready(url, each) for url, each in zip(urls.values(), started, strict=True)))
    return urls


async def test_both_cases_run_on_the_four_services_of_the_image(
    system: dict[str, str], started: list[Container]
) -> None:
    async with Player(system) as player:
        await player.play(load())
    for container in started:
        assert container.ask("id", "-u") == "10001"
        assert "Read-only" in container.ask("sh", "-c", "touch /opt/dugnad/app/x 2>&1")
    codes = await asyncio.gather(*(asyncio.to_thread(container.stop) for container in started))
    assert codes == [0, 0, 0, 0]


@pytest.mark.parametrize("absent", ["secantus", "pytest", "pip", "gcc", "ziglang", "zig"])
def test_the_image_holds_nothing_that_production_does_not_need(
    containers: Containers, tmp_path: Path, absent: str
) -> None:
    script = f"import importlib.util, shutil; print([importlib.util.find_spec('{absent}'), shutil.which('{absent}')])"
    container = containers.start(
        f"dugnad-absent-{token_hex(4)}", TAG, ["timeit", "-n1", "-r1", script], {}, tmp_path / "log"
    )
    assert container.wait() == 0
    assert "[None, None]" in container.said


def test_the_library_that_folds_in_bulk_is_in_the_image(containers: Containers, tmp_path: Path) -> None:
    library = f"/opt/dugnad/app/chassis/native/{LIBRARY}"
    script = f"import ctypes; print('form', ctypes.CDLL('{library}').fold_form())"
    container = containers.start(
        f"dugnad-native-{token_hex(4)}", TAG, ["timeit", "-n1", "-r1", script], {}, tmp_path / "log"
    )
    assert container.wait() == 0, container.said
    assert "form " in container.said


def test_a_machine_without_containers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(NotPossible, match="neither podman nor an answering docker"):
        Containers.find()
