"""Which models a Triton has loaded, and what it says of those that it could not load."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, cast

from pointsman.runtime.servers.probe import http_ask

_MAX_REASON: Final = 300
_UNKNOWN: Final = "the repository has no such model"


async def not_loaded(http_port: int, models: Sequence[str]) -> dict[str, str]:
    """Those of ``models`` that a running server does not serve, each with the reason in a line.

    Raises ``ConnectionError`` when the server does not answer.
    """
    answer = await http_ask(http_port, "/v2/repository/index", method="POST")
    if answer is None or answer[0] != HTTPStatus.OK:
        raise ConnectionError("Triton does not tell which models it has loaded")
    reasons: dict[str, str] = {}
    ready: set[str] = set()
    for version in cast("list[dict[str, str]]", json.loads(answer[1])):
        name = version["name"]
        if version.get("state") == "READY":
            ready.add(name)
        else:
            reasons[name] = _line(version.get("reason", ""))
    return {name: reasons.get(name) or _UNKNOWN for name in models if name not in ready}


def _line(reason: str) -> str:
    """The first lines of a Python error say what is wrong, the rest where."""
    return " ".join(reason.partition("\n\nAt:")[0].split())[:_MAX_REASON]
