"""The commands before they reach anything: help, usage, exit codes, plans, what is printed where."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from chassis.generations import Generation
from deploy import environment
from deploy.cli import context, running
from deploy.cli.__main__ import main
from deploy.cli.arguments import SERVICES, parse
from deploy.cli.building import _plan, _positions
from deploy.cli.context import owner_of, projection_named, projections_of
from deploy.cli.heads import instant
from deploy.cli.http import service_tokens
from deploy.cli.outcome import Usage
from deploy.cli.output import Output
from deploy.cli.parked import _who
from deploy.cli.running import _VERBS
from deploy.environment import kept

ROOT = Path(__file__).parents[3]
NOWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "MONGODB_URI": "mongodb://127.0.0.1:1",
    "DUGNAD_ENVIRONMENT": "development",
    "DUGNAD_ENGINE_TIMEOUT_SECONDS": "0.2",
    **{f"DUGNAD_{name.upper()}_URL": "http://127.0.0.1:1" for name in SERVICES},
}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing answers."""
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)


def test_help_loads_no_library_of_others() -> None:
    code = "import sys; from deploy.cli.__main__ import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "exit codes" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {
        "rich",
        "pydantic",
        "motor",
        "pymongo",
        "aiokafka",
        "faststream",
        "httpx",
        "fastapi",
        "asyncio",
    }
    assert not loaded & {"chassis", "contracts", "services", "structlog"}


def test_the_executable_works_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / "dugnad", "--help"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: dugnad")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["unknown"],
        ["verify"],
        ["parked"],
        ["parked", "discard", "intake/needs", "subject"],
        ["republish", "reporting"],
        ["log", "head", "nothing"],
    ],
)
def test_wrong_usage_ends_with_two_and_one_line_that_says_where_to_look(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"dugnad: .+ \(`dugnad[a-z ]* --help` says how\)\n", printed.err)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["export", "tests"], "tests is not empty: name a new folder"),
        (["release", "plan", "--at", "tomorrow"], "tomorrow is not an instant"),
        (["verify", "nothing"], "there is no service nothing: name one of intake, matching, followup, reporting"),
        (["verify", "intake/nothing"], "name a projection: intake/needs, intake/places, intake/candidates"),
        (["rollback", "followup"], "name a projection: followup/cases"),
        (["rebuild", "intake/needs", "--as-of", "2025-01-13T09:00:00Z", "--until", "intake=1"], "not both"),
        (["rebuild", "intake/needs", "--as-of", "yesterday"], "yesterday is not an instant"),
        (["parked", "list", "reporting/reactions"], "name a projection: reporting/"),
        (["rewind", "matching", "--since", "yesterday"], "yesterday is not an instant: give it like"),
        (["log", "head", "intake", "--at", "yesterday"], "yesterday is not an instant: give it like"),
        (["log", "head", "intake", "--at", "2025-01-13T09:00:00"], "is not an instant"),
    ],
)
def test_what_does_not_exist_is_one_line_that_says_what_does(
    argv: list[str], said: str, nowhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_engines_that_are_away_end_with_three(nowhere: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generations", "intake/needs"]) == 3
    assert "MongoDB at 127.0.0.1:1 fails" in capsys.readouterr().err
    assert main(["log", "head", "matching"]) == 3
    assert "set DUGNAD_MATCHING_URL" in capsys.readouterr().err


EVERY_TARGET: dict[tuple[str, str | None], list[str]] = {
    ("status", None): [],
    ("verify", None): ["intake/needs"],
    ("parked", "list"): ["intake/needs"],
    ("parked", "show"): ["intake/needs", "subject"],
    ("parked", "replay"): ["matching/reactions", "subject"],
    ("parked", "discard"): ["intake/needs", "subject", "--reason", "why", "--yes"],
    ("rebuild", None): ["intake/needs"],
    ("rollback", None): ["intake/needs", "--yes"],
    ("generations", None): ["intake/needs", "--drop", "2", "--yes"],
    ("republish", None): ["intake", "--yes"],
    ("continue", None): ["intake", "--yes"],
    ("rewind", None): ["matching", "--since", "2025-01-13T09:00:00Z"],
    ("export", None): ["never-made"],
    ("release", "plan"): [],
    ("release", "seal"): ["--again"],
    ("release", "publish"): ["2026-04-15", "--yes"],
    ("release", "list"): [],
    ("release", "reproduce"): ["2026-04-15"],
    ("log", "head"): ["intake"],
    ("log", "lost"): ["intake"],
}


@pytest.mark.parametrize("verb", _VERBS, ids=lambda verb: " ".join(filter(None, verb)))
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["", "json"])
def test_with_everything_away_every_verb_ends_with_three_and_one_line(
    verb: tuple[str, str | None], more: list[str], nowhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*filter(None, verb), *EVERY_TARGET[verb], *more]) == 3
    printed = capsys.readouterr()
    if verb == ("status", None):
        # It says what it knows, of every service.
        assert printed.err == ""
        return
    assert printed.out == ""
    assert printed.err.startswith("dugnad: ")
    assert printed.err.count("\n") == 1


def test_an_address_that_is_none_is_wrong_usage(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:very-secret@[nowhere")
    assert main(["generations", "intake/needs"]) == 2
    said = capsys.readouterr().err
    assert "MONGODB_URI is no address" in said
    assert "secret" not in said


def test_an_address_is_shown_without_user_and_password() -> None:
    assert running._host("mongodb://intake:very-secret@a:27017,b:27017/?replicaSet=dugnad") == "a:27017,b:27017"
    assert running._host("mongodb+srv://intake:very%40secret@example") == "example"


def test_a_fault_in_the_program_is_one_line_that_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise KeyError("Kari Nordmann")

    monkeypatch.setattr(running, "run", broken)
    assert main(["status"]) == 1
    printed = capsys.readouterr()
    assert re.fullmatch(r"dugnad: a fault in the program: KeyError at \S+test_cli_usage.py:\d+\n", printed.err)


def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    code = "import sys; from deploy.cli import running; from deploy.cli.__main__ import main\n"
    code += "running.run = lambda _: print('x' * 100_000) or 0\nsys.exit(main(['status']))"
    shell = f'{sys.executable} -c "$CODE" | head -c 1; echo ${{PIPESTATUS[0]}}'
    variables = {**os.environ, "CODE": code}
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=ROOT, env=variables, check=True)
    assert (done.stdout, done.stderr) == ("x0\n", "")


def test_status_shows_services_that_are_away_and_ends_with_three(
    nowhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"]) == 3
    shown = capsys.readouterr().out
    assert shown.count("does not answer: start it") == 4
    assert main(["status", "--json"]) == 3
    assert [each["service"] for each in json.loads(capsys.readouterr().out)["services"]] == list(SERVICES)


def test_without_any_environment_it_says_what_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr(context, "PATH", tmp_path / "environment")
    assert main(["status"]) == 2
    assert "start `make run`, or set the variables of a service" in capsys.readouterr().err


def test_in_production_it_wants_a_token(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUGNAD_ENVIRONMENT", "production")
    monkeypatch.setenv("DUGNAD_JWKS_URL", "https://issuer.example/jwks")
    monkeypatch.delenv("DUGNAD_TOKEN", raising=False)
    assert main(["status"]) == 2
    assert "DUGNAD_TOKEN is unset" in capsys.readouterr().err


def test_the_variables_of_a_local_run_are_read_and_go_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "run" / "environment"
    monkeypatch.setattr(context, "PATH", path)
    for name in NOWHERE:
        monkeypatch.delenv(name, raising=False)
    with kept({**NOWHERE, "MONGODB_URI": "mongodb://a:b#c$d@127.0.0.1:1"}, path):
        assert path.stat().st_mode & 0o777 == 0o600
        settings = context.Context(SimpleNamespace(), Output(as_json=False)).settings  # type: ignore[arg-type]
        assert settings.mongodb_uri == "mongodb://a:b#c$d@127.0.0.1:1"
        assert settings.environment == "development"
    assert not path.exists()
    assert environment.PATH == ROOT / ".cache" / "run" / "environment"


def test_every_verb_of_the_arguments_does_something() -> None:
    described = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    for verb, action in _VERBS:
        assert f"\n    {verb}" in described
        assert action is None or verb in ("parked", "log", "release")


def test_every_service_names_its_projections_the_same_way() -> None:
    names = {service: [each.name for each in projections_of(service)] for service in SERVICES}
    assert names["matching"] == ["needs", "pool", "matches"]
    assert names["reporting"][0] == "placement"
    assert projection_named("followup/cases")[1].name == "cases"
    assert owner_of("dugnad/background") == "intake"
    assert owner_of("dugnad/matching~2") == "matching"


def test_positions_are_given_for_every_source_or_for_none() -> None:
    sources = ["dugnad/intake", "dugnad/matching"]
    assert _positions(["intake=43", "dugnad/matching=0"], sources) == {"dugnad/intake": 43, "dugnad/matching": 0}
    with pytest.raises(Usage, match="give --until for dugnad/matching too"):
        _positions(["intake=43"], sources)
    assert _positions(["43"], ["dugnad/intake"]) == {"dugnad/intake": 43}, "there is only one"
    for wrong in ("followup=1", "intake", "intake=x", "intake=-1", "43"):
        with pytest.raises(Usage, match="give SOURCE=POSITION"):
            _positions([wrong], sources)


def test_an_instant_is_read_with_its_offset() -> None:
    assert instant("2025-03-01T10:00:00+01:00") == instant("2025-03-01T09:00:00Z")


def test_the_plan_of_a_rebuild_says_what_is_served_afterwards() -> None:
    serving = Generation("needs", 3, 1)
    assert _plan("intake/needs", serving, None, {"dugnad/intake": 43}, kept=False) == [
        "intake/needs: build a new generation up to dugnad/intake 43 and what comes",
        "then serve it in place of generation 3",
    ]
    assert _plan("intake/needs", serving, Generation("needs", 4, 1), {}, kept=False)[0] == (
        "intake/needs: go on with generation 4 up to nothing yet and what comes"
    )
    assert _plan("intake/needs", serving, None, {"dugnad/intake": 4}, kept=True)[1] == (
        "then keep it; generation 3 stays served"
    )


def test_who_asks_has_a_name_also_where_users_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "kari")
    assert _who() == "kari"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert _who() == f"uid {os.getuid()}"


def test_a_command_that_works_for_a_service_says_what_it_lacks_in_production() -> None:
    settings = SimpleNamespace(environment="production", token_url=None, client_id=None, client_secret=None)
    with pytest.raises(Usage) as wrong:
        service_tokens(settings, "reporting")  # type: ignore[arg-type]  # as far as it is asked
    assert "DUGNAD_TOKEN_URL" in wrong.value.message
