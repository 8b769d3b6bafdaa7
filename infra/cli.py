"""What `make deploy` and `make destroy` do: ask, refuse, and then change things, in this order."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import boto3
import settings
import stack
import vault
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from settings import Refusal

ROOT = Path(__file__).resolve().parent.parent


class Terminal(Protocol):
    """Who is asked."""

    def interactive(self) -> bool: ...
    def say(self, line: str) -> None: ...
    def ask(self, question: str) -> str: ...
    def ask_secret(self, question: str) -> str: ...


class Person:
    """The terminal that this was started from."""

    def interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stdout.isatty()

    def say(self, line: str) -> None:
        print(line, flush=True)

    def ask(self, question: str) -> str:
        return input(question)

    def ask_secret(self, question: str) -> str:
        return getpass.getpass(question)


def answer(
    terminal: Terminal,
    question: str,
    missing: str,
    check: Callable[[str], str],
    secret: bool = False,
    default: str | None = None,
) -> str:
    """Asks until the answer will do; where nobody can be asked, refuses with what is missing."""
    if not terminal.interactive():
        if default is not None:
            return default
        raise Refusal(missing)
    while True:
        text = (terminal.ask_secret if secret else terminal.ask)(question).strip()
        if not text and default is not None:
            return default
        try:
            return check(text)
        except Refusal as refusal:
            terminal.say(f"  {refusal}")


def memory() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "outlast/regions.json"


def remembered() -> dict[str, str]:
    try:
        return dict(json.loads(memory().read_text()))
    except (OSError, ValueError):
        return {}


def remember(name: str, region: str | None) -> None:
    """Where a stack of that name is, so that it is asked once."""
    known = remembered()
    known.pop(name, None)
    if region:
        known[name] = region
    memory().parent.mkdir(parents=True, exist_ok=True)
    memory().write_text(json.dumps(known, indent=1) + "\n")


def find_region(terminal: Terminal, args: argparse.Namespace, name: str) -> str:
    told = args.region or settings.env("AWS_REGION") or settings.env("AWS_DEFAULT_REGION") or remembered().get(name)
    if told:
        return settings.region(told)
    profile = boto3.Session().region_name
    question = f"Region [{profile}]: " if profile else "Region, such as eu-central-1: "
    return answer(terminal, question, "no region; give --region or AWS_REGION", settings.region, default=profile)


def clients(region: str) -> Callable[[str], Any]:
    session = boto3.Session(region_name=region)
    config = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60)
    return lambda service: session.client(service, config=config)


def collect(
    terminal: Terminal, args: argparse.Namespace, kept: dict[str, str], before: dict[str, str]
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """What is to be written: the template's values, the secrets, and words that are shown once.

    Everything is asked for before anything is changed.
    """
    values, wanted, once = settings.given(args), dict[str, str](), list[str]()

    key = settings.from_file(args.anthropic_key_file, vault.KEY)
    if key is not None:
        wanted[vault.KEY] = settings.anthropic_key(key)
    elif vault.KEY not in kept:
        missing = "no Anthropic key; give --anthropic-key-file or ANTHROPIC_API_KEY"
        wanted[vault.KEY] = answer(
            terminal, "Anthropic key (not shown): ", missing, settings.anthropic_key, secret=True
        )

    access = args.access or settings.env("OUTLAST_ACCESS") or before.get("Access")
    if access is None:
        question = "Who may chat? code (who has the access code) or open (whoever finds the address): "
        access = answer(
            terminal, question, "neither a code nor open; give --access code or --access open", settings.access
        )
    values["Access"] = settings.access(access)

    code = settings.from_file(args.access_code_file, "OUTLAST_ACCESS_CODE")
    check = settings.typed_secret("access code")
    if code is not None:
        wanted[vault.CODE] = vault.hashed(check(code), kept.get(vault.CODE))
    elif values["Access"] == "code" and vault.CODE not in kept:
        missing = "no access code; give --access-code-file or OUTLAST_ACCESS_CODE, or --access open"
        typed = answer(terminal, "Access code, 8 characters or more (not shown): ", missing, check, secret=True)
        wanted[vault.CODE] = vault.hashed(typed, None)

    password = settings.from_file(args.admin_password_file, "OUTLAST_ADMIN_PASSWORD")
    check = settings.typed_secret("admin's password")
    if password is None and vault.ADMIN not in kept:
        question = "Admin's password (not shown; empty: one is made up and shown once): "
        password = answer(terminal, question, "", check, secret=True, default="")
        if not password:
            password = vault.password()
            once.append(f"The admin's password is {password}  (shown this once; keep it)")
    if password is not None:
        wanted[vault.ADMIN] = vault.hashed(check(password), kept.get(vault.ADMIN))

    cap = args.daily_usd or settings.env("OUTLAST_DAILY_USD") or before.get("DailyUsd")
    if cap is None:
        question = "Most dollars that all replies of a day may cost, such as 5: "
        cap = answer(terminal, question, "no daily cap; give --daily-usd or OUTLAST_DAILY_USD", settings.daily_usd)
    values["DailyUsd"] = settings.daily_usd(cap)

    old = kept.get(vault.SIGNING)
    if old is None:
        wanted[vault.SIGNING] = vault.signing()
    elif args.rotate_secret:
        wanted[vault.SIGNING] = f"{vault.signing()},{old.split(',')[0]}"

    if values.get("CloudFront", before.get("CloudFront")) == "yes":
        secret = kept.get(vault.ORIGIN) or vault.origin()
        wanted[vault.ORIGIN] = values["OriginSecret"] = secret
    return values, wanted, once


def deploy(terminal: Terminal, args: argparse.Namespace) -> None:
    name = settings.name(args.name or settings.env("OUTLAST_STACK") or "outlast")
    artifact = args.zip or ROOT / "dist/lambda/outlast.zip"
    if not artifact.is_file():
        raise Refusal(f"{artifact} is not there; `make lambda` makes it")
    machine = stack.architecture(artifact)
    template = (args.template or ROOT / "infra/template.yaml").read_text()
    region = find_region(terminal, args, name)
    client = clients(region)
    account = client("sts").get_caller_identity()["Account"]
    cloudformation, ssm, s3 = client("cloudformation"), client("ssm"), stack.owned(client("s3"), account)
    found = stack.describe(cloudformation, name)
    if found and not stack.alive(found):
        found = None
    before = stack.parameters(found) if found else {}
    kept = vault.read(ssm, name)
    terminal.say(f"{'Updating' if found else 'Deploying'} {name} in {region}, account {account}.")
    bucket = stack.bucket_name(name, account, region)
    # Before anybody is asked for a secret: it may be refused.
    there = stack.has_bucket(s3, bucket)
    values, wanted, once = collect(terminal, args, kept, before)

    for variable, value in wanted.items():
        if kept.get(variable) != value:
            vault.write(ssm, name, variable, value)
            kept[variable] = value
    # At once, and not at the end: what is made must not be lost if the rest fails.
    for line in once:
        terminal.say(line)
    if not there:
        stack.make_bucket(s3, bucket, region, terminal.say)
    values["CodeBucket"], values["CodeKey"] = bucket, stack.upload(s3, bucket, artifact, terminal.say)
    values["Architecture"] = machine
    values["SecretsPath"], values["SecretsVersion"] = vault.path(name), vault.version(kept)
    made = stack.apply(cloudformation, name, template, values, terminal.say)
    # Only now: had the change failed, CloudFront would still be there, and anybody could have gone round it.
    if values.get("CloudFront", before.get("CloudFront", "no")) == "no" and vault.ORIGIN in kept:
        vault.forget(ssm, name, [vault.ORIGIN])
    stack.protect(cloudformation, client("dynamodb"), name, stack.outputs(made)["Table"], on=True)
    stack.prune(s3, bucket, values["CodeKey"])
    remember(name, region)
    told(terminal, stack.outputs(made), values)


def told(terminal: Terminal, outputs: dict[str, str], values: dict[str, str]) -> None:
    url = outputs.get("Url", "")
    door = "asks for the access code, once for each browser" if values["Access"] == "code" else "lets anybody in"
    terminal.say("")
    terminal.say(f"Outlast is at {url}")
    terminal.say(f"  The page {door}; {url}sign-in is for the admin.")
    terminal.say(f"  Replies stop for the day (UTC) when they have cost {values['DailyUsd']} USD.")
    if values.get("AlarmEmail", "none") != "none":
        terminal.say(f"  Amazon has written to {values['AlarmEmail']}: alarms come only once that is confirmed.")
    if "CloudFrontDomain" in outputs and values.get("HostedZoneId", "none") == "none":
        terminal.say(f"  A domain elsewhere has to point at {outputs['CloudFrontDomain']} (CNAME).")


def destroy(terminal: Terminal, args: argparse.Namespace) -> None:
    name = settings.name(args.name or settings.env("OUTLAST_STACK") or "outlast")
    region = find_region(terminal, args, name)
    client = clients(region)
    account = client("sts").get_caller_identity()["Account"]
    cloudformation, ssm, s3 = client("cloudformation"), client("ssm"), stack.owned(client("s3"), account)
    dynamodb = client("dynamodb")
    found = stack.describe(cloudformation, name)
    kept = vault.read(ssm, name)
    bucket = stack.bucket_name(name, account, region)
    if not found and not kept:
        raise Refusal(f"there is no {name} in {region}, account {account}; nothing was done")

    table = stack.outputs(found).get("Table", name) if found else name
    try:
        described = dynamodb.describe_table(TableName=table)["Table"] if found else None
    except ClientError as fault:
        if stack.code(fault) != "ResourceNotFoundException":
            raise
        described = None
    terminal.say(f"This takes {name} in {region}, account {account}, away. Lost for good are:")
    if described:
        count = described.get("ItemCount", 0)
        terminal.say(f"  the table {table}: every chat, job, and the audit trail ({count} items at the last count)")
        terminal.say("  (Amazon keeps a backup of it for 35 days, which only a person can restore)")
    if found:
        terminal.say("  the queue's messages, the log lines, the alarms and the address: a new deployment gets another")
    if kept:
        terminal.say(f"  the secrets: {', '.join(sorted(kept))}")
    yes = args.yes or settings.env("OUTLAST_DESTROY")
    if yes is None:
        if not terminal.interactive():
            raise Refusal(f"not destroyed: give --yes {name} if you mean it")
        yes = terminal.ask(f"Type {name} to go on: ").strip()
    if yes != name:
        raise Refusal(f"not destroyed: that was not {name}")

    if described:
        stack.protect(cloudformation, dynamodb, name, table, on=False)
    if found:
        stack.delete(cloudformation, found, terminal.say)
    vault.forget(ssm, name, sorted(kept))
    stack.empty_and_delete(s3, bucket)
    remember(name, None)
    terminal.say(f"{name} is gone.")


def main(arguments: list[str], terminal: Terminal) -> int:
    args = settings.parser().parse_args(arguments)
    try:
        {"deploy": deploy, "destroy": destroy}[args.command](terminal, args)
        return 0
    except Refusal as refusal:
        fault = str(refusal)
    except NoCredentialsError:
        fault = "no AWS credentials; run `aws configure`, or set AWS_PROFILE, or an AWS_ACCESS_KEY_ID with its secret"
    except NoRegionError:
        fault = "no region; give --region or AWS_REGION"
    except ClientError as refused:
        fault = explained(refused)
    except BotoCoreError as broken:
        fault = f"AWS was not reached: {' '.join(str(broken).split())}"
    except (KeyboardInterrupt, EOFError):
        fault = "stopped; run it again to go on where it was"
    terminal.say(f"error: {fault}")
    return 1


def explained(refused: ClientError) -> str:
    said = " ".join(refused.response.get("Error", {}).get("Message", "").split()) or str(refused)
    match stack.code(refused):
        case "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "403":
            return f"AWS does not let you ({refused.operation_name}): {said}. docs/deploy.md lists what is needed"
        case "ExpiredToken" | "ExpiredTokenException" | "RequestExpired":
            return "your AWS credentials have expired; sign in again"
        case "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "InvalidAccessKeyId":
            return f"AWS does not know your credentials: {said}"
    return f"AWS refused {refused.operation_name}: {said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Person()))
