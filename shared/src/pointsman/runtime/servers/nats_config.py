"""The configuration file of a local nats-server."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pointsman.runtime.servers.errors import ServerError

MAX_PAYLOAD_BYTES: Final = 1024 * 1024

# What may stand between quotes in the file without escaping. The password's alphabet also rules out
# `$2a$...`, which the server would take for a bcrypt hash.
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9_-]{8,128}")
_SUBJECT: Final = re.compile(r"[A-Za-z0-9_.*>$-]{1,256}")


@dataclass(frozen=True, slots=True)
class NatsUser:
    """One service's login and the subjects it may use; an empty tuple allows nothing.

    ``allow_responses`` lets it answer each request that it received once, without naming the
    askers' inboxes.
    """

    name: str
    password: str = field(repr=False)
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    allow_responses: bool = False


def nats_config(
    *, name: str, data: Path, port: int, users: Sequence[NatsUser], max_file_store_bytes: int
) -> dict[str, object]:
    """Describe a server on loopback that listens for clients and nothing else.

    ``port`` 0 lets the server choose. The result is written as JSON, which the server reads too.

    Raises:
        ServerError: ``nats_config_unsafe``; a name, password or subject would need escaping.
    """
    _refuse_unsafe(name, users)
    config: dict[str, object] = {
        "server_name": name,
        "host": "127.0.0.1",
        "port": port or -1,
        "ports_file_dir": str(data / "ports"),
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(data / "jetstream"),
            "sync_interval": "always",
            "max_file_store": max_file_store_bytes,
        },
    }
    if users:
        config["authorization"] = {"users": [_login(user) for user in users]}
    return config


def write_nats_config(path: Path, config: dict[str, object]) -> None:
    """Replace the file at ``path``; it holds passwords, so only its owner may read it."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def _login(user: NatsUser) -> dict[str, object]:
    permissions: dict[str, object] = {
        "publish": _allow(user.publish),
        "subscribe": _allow(user.subscribe),
    }
    if user.allow_responses:
        permissions["allow_responses"] = True
    return {"user": user.name, "password": user.password, "permissions": permissions}


def _allow(subjects: tuple[str, ...]) -> dict[str, list[str]]:
    # The server reads an empty allow list as "everything".
    return {"allow": list(subjects)} if subjects else {"deny": [">"]}


def _refuse_unsafe(name: str, users: Sequence[NatsUser]) -> None:
    named = [("server name", name, _NAME)]
    for user in users:
        named.append(("user name", user.name, _NAME))
        named.extend(
            (f"subject of {user.name}", subject, _SUBJECT)
            for subject in user.publish + user.subscribe
        )
        if not _PASSWORD.fullmatch(user.password):
            message = f"The password of {user.name} must match {_PASSWORD.pattern}."
            raise ServerError(
                message, code="nats_config_unsafe", next_step="Use secrets.token_urlsafe()."
            )
    for what, value, pattern in named:
        if not pattern.fullmatch(value):
            message = f"The {what} {value!r} must match {pattern.pattern}."
            raise ServerError(message, code="nats_config_unsafe", next_step="Choose another one.")
