"""The users of infra/nats/server.conf, which are those of the local stack.

`.venv/bin/python -m tests.infra.server_conf` writes them into the file again.
"""

import json
import re
from pathlib import Path
from typing import Any, Final, cast

from pointsman.cli.stack.accounts import Account, nats_users, new_accounts
from pointsman.cli.stack.plan import DEFAULT_TENANT, EXECUTOR, POOL
from pointsman.runtime.servers import NatsUser
from pointsman.runtime.servers.nats_config import nats_config
from tests.architecture.source_tree import ROOT

SERVER_CONF: Final = ROOT / "infra" / "nats" / "server.conf"

_PLACE: Final = re.compile(r"(?<=\n)(# users: [^\n]*\n).*?(?=# end of users\n)", re.DOTALL)
_PASSWORD: Final = re.compile(r'"password": "(\w+)"')
_VARIABLE: Final = re.compile(r'"password": \$(\w+)')


def password_variable(user: str) -> str:
    """The environment variable with the password of a user."""
    return f"POINTSMAN_NATS_{user.replace('-', '_').upper()}_PASSWORD"


def expected_users() -> list[NatsUser]:
    """Whom the local stack lets in; in the place of a password stands its variable."""
    names = new_accounts([EXECUTOR], [DEFAULT_TENANT])
    accounts = {name: Account(name, password_variable(name)) for name in names}
    return nats_users(accounts, pool=POOL, executors=[EXECUTOR], tenants=[DEFAULT_TENANT])


def users_block() -> str:
    """The users in the server's own syntax: JSON, but for the references to variables."""
    config = nats_config(
        name="pointsman", data=Path(), port=0, users=expected_users(), max_file_store_bytes=1
    )
    document = json.dumps(config["authorization"], indent=2)
    inner = document.removeprefix("{\n").removesuffix("\n}")
    return _PASSWORD.sub(r'"password": $\1', inner) + "\n"


def with_users(conf: str) -> str:
    """The file with its users written again; raises `LookupError` without exactly one place."""
    result, places = _PLACE.subn(lambda place: place[1] + users_block(), conf)
    if places != 1:
        raise LookupError(
            f"{places} places in server.conf between '# users: ' and '# end of users'"
        )
    return result


def users_of(conf: str) -> list[dict[str, Any]]:
    """What the file says, user by user; in the place of a password stands its variable."""
    place = _PLACE.search(conf)
    if place is None:
        raise LookupError("server.conf has no users")
    block = place[0].removeprefix(place[1])
    document = json.loads("{" + _VARIABLE.sub(r'"password": "\1"', block) + "}")
    return cast("list[dict[str, Any]]", document["users"])


def main() -> None:
    conf = SERVER_CONF.read_text(encoding="utf-8")
    SERVER_CONF.write_text(with_users(conf), encoding="utf-8")


if __name__ == "__main__":
    main()
