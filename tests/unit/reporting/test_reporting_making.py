"""What a manifest says of the program that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import codelists, days
from services.reporting import making, reading, views
from services.reporting.domain import facts
from services.reporting.origin import code_version


@pytest.mark.parametrize("module", [facts, views, reading, making, days, codelists])
def test_other_code_of_whatever_figures_are_made_by_has_another_hash(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, changed = code_version(), Path(str(getattr(module, "__file__", None)))
    as_it_is = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: as_it_is(path) + b"#" * (path == changed))
    assert code_version() != usual


def test_another_code_list_has_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, as_it_is = code_version(), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: as_it_is(path) + b"#" * (path.suffix == ".csv"))
    assert code_version() != usual
