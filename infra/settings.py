"""What can be set, and from where: a flag, the environment, what is deployed already, or a question."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path

# Flag, variable, the template's parameter, and what it is for. All may be left out: the template has defaults, and a
# second run keeps what the first one set.
OPTIONS = [
    ("--daily-usd-user", "OUTLAST_DAILY_USD_USER", "DailyUsdUser", "most dollars a day for one user, or none"),
    ("--model", "OUTLAST_MODEL", "Model", "the default model"),
    ("--thinking", "OUTLAST_THINKING", "Thinking", "off or adaptive"),
    ("--memory-mb", "OUTLAST_MEMORY_MB", "MemoryMb", "the function's memory"),
    ("--reserved-concurrency", "OUTLAST_RESERVED_CONCURRENCY", "ReservedConcurrency", "instances kept, or none"),
    ("--queue-concurrency", "OUTLAST_QUEUE_CONCURRENCY", "QueueConcurrency", "messages worked on at once"),
    ("--retention-days", "OUTLAST_RETENTION_DAYS", "RetentionDays", "days after which what was stored disappears"),
    ("--log-days", "OUTLAST_LOG_DAYS", "LogDays", "days after which log lines disappear"),
    ("--alarm-email", "OUTLAST_ALARM_EMAIL", "AlarmEmail", "where alarms are sent, or none"),
    ("--cloudfront", "OUTLAST_CLOUDFRONT", "CloudFront", "yes or no"),
    ("--domain", "OUTLAST_DOMAIN", "DomainName", "with CloudFront: a domain of your own, or none"),
    ("--certificate", "OUTLAST_CERTIFICATE", "CertificateArn", "its certificate in ACM in us-east-1, or none"),
    ("--hosted-zone", "OUTLAST_HOSTED_ZONE", "HostedZoneId", "its zone in Route 53, or none"),
    (
        "--adapter-layer",
        "OUTLAST_ADAPTER_LAYER",
        "AdapterLayerVersion",
        "version of the Lambda Web Adapter's layer, 0: none",
    ),
]
NAME = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
MOST_USD = 1_000_000


class Refusal(Exception):
    """One line that says what is wrong and what would do."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="make deploy / make destroy", description="Outlast on AWS. What is not given is asked for."
    )
    commands = made.add_subparsers(dest="command", required=True)
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--name", help="the stack's name (OUTLAST_STACK; outlast)")
    both.add_argument("--region", help="where (AWS_REGION; else the last one, else it is asked for)")
    deploy = commands.add_parser("deploy", parents=[both], help="makes it, or brings it up to date")
    deploy.add_argument("--access", choices=["code", "open"], help="who may chat (OUTLAST_ACCESS)")
    deploy.add_argument("--daily-usd", help="most dollars that all replies of a day may cost (OUTLAST_DAILY_USD)")
    deploy.add_argument("--anthropic-key-file", type=Path, help="a file with the key (or ANTHROPIC_API_KEY)")
    deploy.add_argument("--access-code-file", type=Path, help="a file with the access code (or OUTLAST_ACCESS_CODE)")
    deploy.add_argument("--admin-password-file", type=Path, help="a file with the password (or OUTLAST_ADMIN_PASSWORD)")
    deploy.add_argument(
        "--rotate-secret", action="store_true", help="sign cookies with a new secret; the last one still verifies"
    )
    deploy.add_argument("--zip", type=Path, help="the artifact (dist/lambda/outlast.zip)")
    deploy.add_argument("--template", type=Path, help="the template (infra/template.yaml)")
    for flag, variable, parameter, what in OPTIONS:
        deploy.add_argument(flag, dest=parameter, help=f"{what} ({variable})")
    destroy = commands.add_parser("destroy", parents=[both], help="takes it away, with all that it holds")
    destroy.add_argument(
        "--yes", metavar="NAME", help="the stack's name once more, in place of the question (OUTLAST_DESTROY)"
    )
    return made


def env(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def given(args: argparse.Namespace) -> dict[str, str]:
    """The template's parameters that a flag or a variable sets."""
    found = {}
    for _, variable, parameter, _ in OPTIONS:
        value = getattr(args, parameter) or env(variable)
        if value is not None:
            found[parameter] = value
    return found


def from_file(path: Path | None, variable: str) -> str | None:
    """A secret: the file's, else the variable's."""
    if path is None:
        return env(variable)
    try:
        return path.read_text().strip() or None
    except OSError as fault:
        raise Refusal(f"{path} cannot be read: {fault.strerror}") from fault


def name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise Refusal(
            f"{text!r} is no name for it; use 2 to 20 small letters, digits and -, such as outlast or chat-test"
        )
    return text


def region(text: str) -> str:
    if not REGION.fullmatch(text):
        raise Refusal(f"{text!r} is no region; use one such as eu-central-1")
    if text.startswith("cn-") or "-gov-" in text:
        raise Refusal(f"in {text} there is no arm64 layer of the Lambda Web Adapter; use another region")
    return text


def access(text: str) -> str:
    if text not in ("code", "open"):
        raise Refusal("who may chat? Say code (who has the access code) or open (whoever finds the address)")
    return text


def daily_usd(text: str) -> str:
    plain = re.fullmatch(r"\$?([0-9]{1,7}(?:\.[0-9]{1,6})?)", text.strip())
    if not plain or not 0 < float(plain[1]) <= MOST_USD:
        raise Refusal(f"{text!r} is no cap; use a number of dollars above nought, such as 5 or 2.50")
    # Without noughts before it, as the template and JSON want it.
    whole, dot, part = plain[1].partition(".")
    return f"{int(whole)}{dot}{part}"


def anthropic_key(text: str) -> str:
    if not text or not all("!" <= letter <= "~" for letter in text):
        raise Refusal("the Anthropic key is empty or holds what no key does; use it as console.anthropic.com shows it")
    return text


def typed_secret(what: str) -> Callable[[str], str]:
    """As the server takes it at the sign-in: without space at either end, 8 characters and more."""

    def check(text: str) -> str:
        if len(text.strip()) < 8 or len(text.strip().encode()) > 1024:
            raise Refusal(f"the {what} needs 8 characters or more; a few words that you make up are best")
        return text.strip()

    return check
