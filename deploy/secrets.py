"""`python3 -m deploy.secrets`: random passwords and keys for `deploy/compose.yaml`, in `deploy/.env`.

Invariant: what is there stays (the databases know it); what is missing is added; only the owner may read the file.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

COMPOSE = Path(__file__).with_name("compose.yaml")
FILE = Path(__file__).with_name(".env")
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+):\?")


def wanted() -> list[str]:
    """The variables that the compose file cannot do without, in its order."""
    return list(dict.fromkeys(match["name"] for match in _VARIABLE.finditer(COMPOSE.read_text())))


def complete(text: str) -> str:
    """The lines of the file, and a random value for each variable that they lack."""
    present = {line.partition("=")[0] for line in text.splitlines()}
    # Hexadecimal: the values stand in URIs and in Kafka's quoted settings.
    added = [f"{name}={secrets.token_hex(24)}\n" for name in wanted() if name not in present]
    return text + "".join(added)


if __name__ == "__main__":
    FILE.touch(mode=0o600)
    FILE.write_text(complete(FILE.read_text()))
    print(f"{FILE}: {len(FILE.read_text().splitlines())} secrets")
