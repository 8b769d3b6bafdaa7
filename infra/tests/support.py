"""What the checks share: the template, raw and transformed, and a stand-in for AWS that speaks its APIs."""

import atexit
import functools
import io
import json
import logging
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

INFRA = Path(__file__).resolve().parent.parent
ROOT = INFRA.parent
TEMPLATE = INFRA / "template.yaml"
SERVER = ROOT / "server/src"

# Nothing here may reach AWS itself, nor use what the machine has of credentials.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="eu-central-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)
for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(name, None)

# What ministack 1.5.33 refuses to make: an alarm over an expression.
NOT_IN_MINISTACK = ("SpendAlarm",)

# SAM measures itself, and says at every transform that nobody took the figures.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


def template() -> dict[str, Any]:
    """The template as it is written, with CloudFormation's short forms spelled out."""
    return yaml_parse(TEMPLATE.read_text())


def transformed(**parameters: str) -> dict[str, Any]:
    """The template as SAM makes it, with nothing of SAM's left in it."""
    made = transform(template(), parameters, None)
    return json.loads(json.dumps(made))


def for_ministack() -> str:
    """The transformed template without what ministack cannot make."""
    made = transformed()
    for resource in NOT_IN_MINISTACK:
        made["Resources"].pop(resource)
    return json.dumps(made)


def rust(path: str) -> str:
    return (SERVER / path).read_text()


def variables() -> set[str]:
    """Every environment variable that the server reads."""
    return set(re.findall(r'^\s*\(?\s*"([A-Z][A-Z0-9_]+)",', rust("config/variables.rs"), re.MULTILINE))


def artifact(machine: int = 0xB7) -> bytes:
    """A zip in the artifact's layout, as if for that machine: arm64 where nothing is said."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("bootstrap", "run.sh"):
            archive.writestr(name, "#!/bin/sh\n")
        archive.writestr("outlast", b"\x7fELF\2\1\1" + bytes(11) + machine.to_bytes(2, "little"))
    return made.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@functools.cache
def ministack() -> str:
    """Its address; starts it at first use. It ends with the tests."""
    program = Path(os.environ.get("OUTLAST_MINISTACK", ROOT / ".tools/ministack"))
    if not program.exists():
        raise RuntimeError(f"no ministack at {program}: run `make test`, or set OUTLAST_MINISTACK to it")
    port = free_port()
    log = tempfile.TemporaryFile()
    env = {**os.environ, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    child = subprocess.Popen([str(program)], env=env, stdout=log, stderr=log)

    def stop() -> None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        log.close()

    atexit.register(stop)
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=5).close()
            return url
        except OSError as fault:
            if child.poll() is not None or time.monotonic() > until:
                log.seek(0)
                raise RuntimeError(f"ministack did not start: {log.read()[-2000:]!r}") from fault
            time.sleep(0.05)


def client(service: str, region: str = "eu-central-1") -> Any:
    return boto3.client(
        service, endpoint_url=ministack(), region_name=region, config=Config(retries={"total_max_attempts": 1})
    )
