"""`make deploy` as a check runs it: against the stand-in, with somebody who answers."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import cli
import stack
from support import artifact, client, for_ministack, ministack

# There it is over in an instant.
stack.POLL_SECONDS = 0.02

CODE = "four words made up"
FOLDER = tempfile.mkdtemp()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
HOME = Path(FOLDER)
ZIP, TEMPLATE = HOME / "outlast.zip", HOME / "template.json"


class FakeTerminal:
    """Answers questions by what is in them; fails at one that it does not expect."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.answers = answers
        self.said: list[str] = []
        self.asked: list[str] = []
        self.secret: list[str] = []

    def interactive(self) -> bool:
        return self.answers is not None

    def say(self, line: str) -> None:
        self.said.append(line)

    def ask(self, question: str) -> str:
        assert self.answers is not None
        self.asked.append(question)
        for part, answer in self.answers.items():
            if part in question:
                # A list is answered in turn.
                first, _, rest = answer.partition("|")
                self.answers[part] = rest or first
                return first
        raise AssertionError(f"not expected: {question}")

    def ask_secret(self, question: str) -> str:
        self.secret.append(question)
        return self.ask(question)

    def text(self) -> str:
        return "\n".join(self.said)


def run(arguments: list[str], terminal: FakeTerminal, **environment: str) -> int:
    """One run of the program, with nothing of this process's environment but what it needs."""
    if not ZIP.exists():
        ZIP.write_bytes(artifact())
        TEMPLATE.write_text(for_ministack())
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OUTLAST_", "ANTHROPIC_", "AWS_DEFAULT"))
    }
    ours = {"AWS_ENDPOINT_URL": ministack(), "XDG_CONFIG_HOME": str(HOME), **environment}
    if arguments[0] == "deploy":
        if "--zip" not in arguments:
            arguments = [*arguments, "--zip", str(ZIP)]
        if "--template" not in arguments:
            arguments = [*arguments, "--template", str(TEMPLATE)]
    with mock.patch.dict(os.environ, {**kept, **ours}, clear=True):
        return cli.main(arguments, terminal)


@functools.cache
def deployed(name: str) -> dict[str, str]:
    """A stack of that name; its outputs."""
    terminal = FakeTerminal()
    arguments = ["deploy", "--name", name, "--region", "eu-central-1", "--access", "code", "--daily-usd", "5"]
    status = run(arguments, terminal, ANTHROPIC_API_KEY="sk-ant-check", OUTLAST_ACCESS_CODE=CODE)
    assert status == 0, terminal.text()
    found = stack.describe(client("cloudformation"), name)
    assert found
    return stack.outputs(found)
