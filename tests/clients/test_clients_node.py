"""`jsonstat-toolkit` as it comes from its registry, against a running service."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.clients.conftest import Served
from tests.clients.test_clients_python import expected
from tests.subscribers.node import NODE


def test_jsonstat_toolkit_finds_cells_labels_roles_units_and_symbols(served: Served, node_folder: Path) -> None:
    done = subprocess.run(
        [NODE, "toolkit.mjs", served.public], cwd=node_folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    values = expected(served)
    assert found["class"] == "dataset"
    assert found["label"].startswith("From need to job")
    assert (found["id"], found["size"]) == (["Region", "ContentsCode", "Tid"], [2, 2, 2])
    assert found["role"]["time"] == ["Tid"]
    assert found["role"]["geo"] == ["Region"]
    assert found["values"] == values
    assert found["one"] == values[5]
    assert found["regions"] == ["The whole country", "Buskerud county"]
    assert found["unit"] == {"base": "number", "decimals": 0}
    assert found["rows"] == 8
    assert found["note"] >= 3
    assert found["metadata"][0] == "Region"
    assert found["missing"] == ".."
