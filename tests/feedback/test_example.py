"""The example that other systems start from, against the service as a process."""

import ast
import asyncio
import json
import sys
from pathlib import Path

from pointsman.testing.waiting import wait_until
from tests.feedback.log_keeper import log_keeper
from tests.feedback.test_main import is_up, process
from tests.feedback.world import accepted, completed, registered

EXAMPLE = Path(__file__).parents[2] / "examples" / "send_feedback.py"


def test_the_example_needs_nothing_but_nats() -> None:
    nodes = list(ast.walk(ast.parse(EXAMPLE.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) == {"nats"}


async def test_the_example_rates_a_task_and_hears_the_answer(nats_url: str, tmp_path: Path) -> None:
    account = {"user": "", "password": "", "inbox_prefix": "_INBOX"}
    stack = {"nats_url": nats_url, "accounts": {"producer-acme": account}}
    record = tmp_path / "stack.json"
    record.write_text(json.dumps(stack))

    async def run(task: str, opinion: str) -> tuple[int | None, dict[str, dict[str, str]]]:
        script = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), str(record), task, opinion, "words", "acme",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await script.communicate()
        return script.returncode, json.loads(out)

    async with log_keeper(nats_url) as keeper, process(nats_url, tmp_path / "feedback"):
        await keeper.register(registered("large", 0.9))
        task = await keeper.task(accepted(), completed())
        await wait_until(lambda: is_up(keeper), timeout_s=30)

        status, good = await run(str(task), "good")
        refused_status, refused = await run(str(task), "1.5")

    assert (status, good["answer"]["status"]) == (0, "done")
    assert (refused_status, refused["answer"]["code"]) == (1, "invalid_rating")
