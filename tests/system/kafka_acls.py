"""What `kafka-acls.sh` of a Kafka installation does with the arguments that `deploy/kafka/access.sh` gives it.

The engine for tests is Kafka without its command-line tools; the request that goes to the broker is the same.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

_RESOURCES = {"topic": 2, "group": 3}
_PATTERNS = {"literal": 3, "prefixed": 4}
_OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8}
_ALLOW = 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kafka-acls.sh")
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--command-config", type=Path, required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", choices=_OPERATIONS, action="append", required=True)
    parser.add_argument("--resource-pattern-type", choices=_PATTERNS, default="literal")
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    return parser.parse_args()


async def main() -> None:
    asked = arguments()
    settings = asked.command_config.read_text()
    (user,), (password,) = re.findall('username="(.*?)"', settings), re.findall(' password="(.*?)"', settings)
    admin = AIOKafkaAdminClient(
        bootstrap_servers=asked.bootstrap_server,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username=user,
        sasl_plain_password=password,
    )
    try:
        await admin.start()
        for kind in _RESOURCES:
            for name in getattr(asked, kind):
                for operation in asked.operation:
                    answer = await admin._send_to_controller(
                        CreateAclsRequest(
                            _RESOURCES[kind],
                            name,
                            _PATTERNS[asked.resource_pattern_type],
                            asked.allow_principal,
                            "*",
                            _OPERATIONS[operation],
                            _ALLOW,
                        )
                    )
                    assert [code for code, *_ in answer.creation_responses] == [0], answer
    finally:
        await admin.close()


if __name__ == "__main__":
    asyncio.run(main())
