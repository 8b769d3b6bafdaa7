"""`make deploy` and `make destroy`: what they ask, what they refuse, what they do."""

import json
import re
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import argon2
import botocore.session
import cli
import settings
import stack
import vault
from aws import CODE, FakeTerminal, run
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from support import INFRA, NOT_IN_MINISTACK, artifact, client, template, transformed

REGION = "eu-central-1"
KEY = "sk-ant-api03-check"
ALL = {
    "Region": REGION,
    "Anthropic key": KEY,
    "Who may chat": "code",
    "Access code": CODE,
    "Admin's password": "",
    "Most dollars": "2.50",
}


def secrets(name: str) -> dict[str, str]:
    return vault.read(client("ssm"), name)


def parameters(name: str) -> dict[str, str]:
    found = stack.describe(client("cloudformation"), name)
    assert found
    return stack.parameters(found)


def protected(name: str) -> tuple[bool, bool]:
    found = stack.describe(client("cloudformation"), name)
    assert found
    table = client("dynamodb").describe_table(TableName=name)["Table"]
    return found["EnableTerminationProtection"], table["DeletionProtectionEnabled"]


class Asking(unittest.TestCase):
    def test_everything_is_asked_for_once_and_a_second_run_asks_nothing(self) -> None:
        person = FakeTerminal(dict(ALL))
        self.assertEqual(run(["deploy", "--name", "asked"], person), 0, person.text())
        self.assertEqual(len(person.asked), len(ALL), person.asked)
        # What must not be read over somebody's shoulder.
        self.assertEqual(len(person.secret), 3)
        self.assertNotIn(KEY, person.text())
        self.assertNotIn(CODE, person.text())
        kept = secrets("asked")
        self.assertEqual(set(kept), {vault.KEY, vault.SIGNING, vault.CODE, vault.ADMIN})
        self.assertEqual(kept[vault.KEY], KEY)
        self.assertTrue(argon2.PasswordHasher().verify(kept[vault.CODE], CODE))
        self.assertGreaterEqual(len(kept[vault.SIGNING]), 32)
        (password,) = re.findall(r"admin's password is (\S+)", person.text())
        self.assertTrue(argon2.PasswordHasher().verify(kept[vault.ADMIN], password))
        made = parameters("asked")
        self.assertEqual((made["Access"], made["DailyUsd"], made["SecretsPath"]), ("code", "2.50", "/outlast/asked"))
        self.assertRegex(person.text(), r"Outlast is at https://\S+\.on\.aws/")
        self.assertIn("cost 2.50 USD", person.text())
        self.assertEqual(protected("asked"), (True, True))

        again = FakeTerminal({})
        self.assertEqual(run(["deploy", "--name", "asked"], again), 0, again.text())
        self.assertEqual(again.asked, [])
        self.assertIn("Nothing is to be changed.", again.text())
        self.assertNotIn("password", again.text())
        self.assertEqual(secrets("asked"), kept)

    def test_a_bad_answer_is_asked_again(self) -> None:
        person = FakeTerminal(
            {**ALL, "Region": f"moon|{REGION}", "Most dollars": "0|plenty|5", "Who may chat": "me|open"}
        )
        self.assertEqual(run(["deploy", "--name", "again"], person), 0, person.text())
        self.assertEqual(sum("Most dollars" in question for question in person.asked), 3)
        self.assertEqual(parameters("again")["Access"], "open")
        # Open needs no code, and is not asked for one.
        self.assertFalse([question for question in person.asked if "Access code" in question])
        self.assertIn("lets anybody in", person.text())
        self.assertNotIn(vault.CODE, secrets("again"))


class Refusing(unittest.TestCase):
    def refused(self, arguments: list[str], **environment: str) -> str:
        script = FakeTerminal()
        self.assertEqual(run(arguments, script, **environment), 1)
        line = script.said[-1]
        self.assertTrue(line.startswith("error: "), line)
        self.assertNotIn("\n", line)
        self.assertNotIn("Traceback", script.text())
        return line

    def test_without_a_code_or_a_cap_nothing_is_made(self) -> None:
        base = ["deploy", "--name", "refused", "--region", REGION]
        whole = {
            "ANTHROPIC_API_KEY": KEY,
            "OUTLAST_ACCESS": "code",
            "OUTLAST_ACCESS_CODE": CODE,
            "OUTLAST_DAILY_USD": "5",
        }
        for missing, said in {
            "ANTHROPIC_API_KEY": "no Anthropic key",
            "OUTLAST_ACCESS": "neither a code nor open",
            "OUTLAST_ACCESS_CODE": "no access code",
            "OUTLAST_DAILY_USD": "no daily cap",
        }.items():
            some = {name: value for name, value in whole.items() if name != missing}
            self.assertIn(said, self.refused(base, **some))
        self.assertIsNone(stack.describe(client("cloudformation"), "refused"))
        self.assertEqual(secrets("refused"), {})
        buckets = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
        self.assertFalse([bucket for bucket in buckets if bucket.startswith("refused")])

    def test_bad_values(self) -> None:
        base = ["deploy", "--region", REGION, "--name"]
        given = {
            "ANTHROPIC_API_KEY": KEY,
            "OUTLAST_ACCESS": "code",
            "OUTLAST_ACCESS_CODE": CODE,
            "OUTLAST_DAILY_USD": "5",
        }
        self.assertIn("is no name", self.refused([*base, "Outlast!"], **given))
        self.assertIn("is no cap", self.refused([*base, "bad"], **{**given, "OUTLAST_DAILY_USD": "0"}))
        self.assertIn("8 characters", self.refused([*base, "bad"], **{**given, "OUTLAST_ACCESS_CODE": "short"}))
        self.assertIn("Say code", self.refused([*base, "bad"], **{**given, "OUTLAST_ACCESS": "maybe"}))
        self.assertIn("what no key does", self.refused([*base, "bad"], **{**given, "ANTHROPIC_API_KEY": "sk ant"}))
        self.assertIn("no arm64 layer", self.refused(["deploy", "--region", "cn-north-1"], **given))
        self.assertIn("cannot be read", self.refused([*base, "bad", "--anthropic-key-file", "/nowhere"], **given))
        self.assertEqual(secrets("bad"), {})

    def test_without_a_region(self) -> None:
        self.assertIn("no region", self.refused(["deploy", "--name", "nowhere"]))

    def test_without_an_artifact(self) -> None:
        self.assertIn(
            "make lambda", self.refused(["deploy", "--region", REGION, "--name", "none", "--zip", "/nowhere"])
        )

    def test_without_credentials(self) -> None:
        # Nothing in the environment, and no file: as on a machine where nobody has signed in.
        said = self.refused(
            ["deploy", "--region", REGION, "--name", "none"], AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""
        )
        self.assertIn("no AWS credentials", said)

    def test_without_permission(self) -> None:
        message = "User: arn:aws:iam::1:user/x is not authorized to perform: ssm:PutParameter on resource: y"
        fault = ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "PutParameter")
        self.assertIn(message, cli.explained(fault))
        self.assertIn("docs/deploy.md", cli.explained(fault))

    def test_aws_out_of_reach(self) -> None:
        said = self.refused(["deploy", "--region", REGION, "--name", "none"], AWS_ENDPOINT_URL="http://127.0.0.1:9")
        self.assertIn("AWS was not reached", said)

    def test_a_rollback_names_its_cause_and_the_next_run_goes_on(self) -> None:
        given = {"ANTHROPIC_API_KEY": KEY, "OUTLAST_ACCESS": "open", "OUTLAST_DAILY_USD": "5"}
        base = ["deploy", "--name", "rolled", "--region", REGION]
        # The stand-in cannot make the alarm over an expression, so with the whole template it rolls back.
        self.assertEqual(NOT_IN_MINISTACK, ("SpendAlarm",))
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole.json"
            whole.write_text(json.dumps(transformed()))
            said = self.refused([*base, "--template", str(whole)], **given)
        self.assertIn("CloudFormation gave up (ROLLBACK_COMPLETE)", said)
        self.assertIn("SpendAlarm (AWS::CloudWatch::Alarm): ", said)
        kept = secrets("rolled")
        script = FakeTerminal()
        self.assertEqual(run(base, script, OUTLAST_ACCESS="open", OUTLAST_DAILY_USD="5"), 0, script.text())
        self.assertIn("Clearing away", script.text())
        self.assertEqual(secrets("rolled"), kept)

    def test_a_failed_change_of_the_front_leaves_the_way_in_as_it_was(self) -> None:
        given = {"ANTHROPIC_API_KEY": KEY, "OUTLAST_ACCESS": "open", "OUTLAST_DAILY_USD": "5"}
        base = ["deploy", "--name", "front", "--region", REGION]
        self.assertEqual(run(base, FakeTerminal(), **given), 0)

        def asked() -> str:
            function = client("lambda").get_function_configuration(FunctionName="front")
            return function["Environment"]["Variables"]["OUTLAST_FRONT"]

        self.assertEqual(asked(), "none")
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole.json"
            whole.write_text(json.dumps(transformed()))
            self.refused([*base, "--template", str(whole), "--cloudfront", "yes"], **given)
            # The secret is there, and nobody is asked for it.
            self.assertIn(vault.ORIGIN, secrets("front"))
            self.assertEqual(asked(), "none")
            self.assertEqual(run([*base, "--cloudfront", "yes"], FakeTerminal(), **given), 0)
            self.assertEqual(asked(), "proxy")
            # Nor is it gone before those who ask for it are.
            self.refused([*base, "--template", str(whole), "--cloudfront", "no"], **given)
            self.assertIn(vault.ORIGIN, secrets("front"))
        self.assertEqual(run([*base, "--cloudfront", "no"], FakeTerminal(), **given), 0)
        self.assertEqual(asked(), "none")
        self.assertNotIn(vault.ORIGIN, secrets("front"))

    def test_what_it_was_made_for_is_what_it_runs_on(self) -> None:
        given = {"ANTHROPIC_API_KEY": KEY, "OUTLAST_ACCESS": "open", "OUTLAST_DAILY_USD": "5"}
        with tempfile.TemporaryDirectory() as folder:
            zipped = Path(folder) / "outlast.zip"
            base = ["deploy", "--name", "machine", "--region", REGION, "--zip", str(zipped)]
            for machine, wanted in ((0x3E, "x86_64"), (0xB7, "arm64")):
                zipped.write_bytes(artifact(machine))
                self.assertEqual(stack.architecture(zipped), wanted)
            zipped.write_bytes(artifact(0x3E))
            self.assertEqual(run(base, FakeTerminal(), **given), 0)
            self.assertEqual(parameters("machine")["Architecture"], "x86_64")
            zipped.write_bytes(artifact(0x28))
            self.assertIn("neither arm64 nor x86_64", self.refused(base, **given))
            zipped.write_bytes(b"no zip")
            self.assertIn("holds no program", self.refused(base, **given))

    def test_the_first_failure_is_the_cause(self) -> None:
        def event(name: str, reason: str) -> dict[str, str]:
            return {"LogicalResourceId": name, "ResourceType": "AWS::X::Y", "ResourceStatusReason": reason}

        echoes = [
            event("Other", "Resource creation cancelled"),
            event("Function", "Specified ReservedConcurrentExecutions\nfor function decreases"),
        ]
        said = stack.cause([*echoes, event("Stack", "The following resource(s) failed to create")])
        self.assertTrue(said.startswith("Function (AWS::X::Y): Specified ReservedConcurrentExecutions for"), said)
        self.assertIn("--reserved-concurrency none", said)
        self.assertIn("no reason", stack.cause([]))


class Changing(unittest.TestCase):
    NAME = "changing"

    def deploy(self, *arguments: str, **environment: str) -> str:
        script = FakeTerminal()
        status = run(["deploy", "--name", self.NAME, "--region", REGION, *arguments], script, **environment)
        self.assertEqual(status, 0, script.text())
        return script.text()

    def test_what_a_life_with_it_brings(self) -> None:
        self.deploy(ANTHROPIC_API_KEY=KEY, OUTLAST_ACCESS="code", OUTLAST_ACCESS_CODE=CODE, OUTLAST_DAILY_USD="5")
        first, before = secrets(self.NAME), parameters(self.NAME)

        # One thing more leaves the others as they were.
        self.deploy("--memory-mb", "512", OUTLAST_ALARM_EMAIL="me@example.org")
        after = parameters(self.NAME)
        self.assertEqual((after["MemoryMb"], after["AlarmEmail"]), ("512", "me@example.org"))
        self.assertEqual({**after, "MemoryMb": "256", "AlarmEmail": "none"}, before)
        self.assertEqual(secrets(self.NAME), first)

        # The same code again signs nobody out; another one does, and starts new instances.
        self.assertIn("Nothing is to be changed", self.deploy(OUTLAST_ACCESS_CODE=CODE))
        self.deploy(OUTLAST_ACCESS_CODE="four other words")
        self.assertNotEqual(secrets(self.NAME)[vault.CODE], first[vault.CODE])
        self.assertNotEqual(parameters(self.NAME)["SecretsVersion"], after["SecretsVersion"])

        # A new secret signs, the last one verifies, and the one before is gone.
        self.deploy("--rotate-secret")
        second = secrets(self.NAME)[vault.SIGNING]
        self.assertEqual(second.split(",")[1:], [first[vault.SIGNING]])
        self.deploy("--rotate-secret")
        self.assertEqual(secrets(self.NAME)[vault.SIGNING].split(",")[1:], second.split(",")[:1])

        # Without the adapter there is no layer.
        self.deploy("--adapter-layer", "0")
        function = client("lambda").get_function_configuration(FunctionName=self.NAME)
        self.assertEqual(function.get("Layers", []), [])

        # CloudFront has its secret, the same on both sides, and loses it.
        told = self.deploy("--cloudfront", "yes")
        self.assertRegex(told, r"Outlast is at https://\S+\.cloudfront\.net/")
        origin = secrets(self.NAME)[vault.ORIGIN]
        self.assertGreaterEqual(len(origin), 32)
        (distribution,) = client("cloudfront").list_distributions()["DistributionList"]["Items"]
        config = client("cloudfront").get_distribution_config(Id=distribution["Id"])["DistributionConfig"]
        (header,) = config["Origins"]["Items"][0]["CustomHeaders"]["Items"]
        self.assertEqual((header["HeaderName"], header["HeaderValue"]), ("x-outlast-origin", origin))
        self.deploy()
        self.assertEqual(secrets(self.NAME)[vault.ORIGIN], origin)
        self.deploy("--cloudfront", "no")
        self.assertNotIn(vault.ORIGIN, secrets(self.NAME))

    def test_old_artifacts_are_cleared_away(self) -> None:
        s3 = client("s3")
        s3.create_bucket(Bucket="prune", CreateBucketConfiguration={"LocationConstraint": REGION})
        for number in range(6):
            s3.put_object(Bucket="prune", Key=f"{number}.zip", Body=b"x")
        stack.prune(s3, "prune", "0.zip")
        left = {one["Key"] for one in s3.list_objects_v2(Bucket="prune")["Contents"]}
        self.assertEqual(len(left), stack.KEPT)
        self.assertIn("0.zip", left)


class Bucket(unittest.TestCase):
    """Whoever guesses the bucket's name and makes it first gets nothing, and puts nothing in."""

    ACCOUNT = "000000000000"

    def listened(self, hear: Callable[[Any], Any]) -> Any:
        """Has what is sent to S3 heard first; an answer is taken for AWS's, since the stand-in looks at no owner."""
        whole = cli.clients

        def clients(region: str) -> Callable[[str], Any]:
            def one(service: str) -> Any:
                made = whole(region)(service)
                made.meta.events.register("before-send.s3", lambda request, **_: hear(request))
                return made

            return one

        return mock.patch.object(cli, "clients", clients)

    def deploy(self, name: str, status: int) -> str:
        """The last line of a run that ends so."""
        script = FakeTerminal()
        environment = {"ANTHROPIC_API_KEY": KEY, "OUTLAST_ACCESS": "open", "OUTLAST_DAILY_USD": "5"}
        arguments = ["deploy", "--name", name, "--region", REGION]
        self.assertEqual(run(arguments, script, **environment), status, script.text())
        return script.said[-1]

    def test_every_call_expects_it_to_be_ours(self) -> None:
        heard: list[tuple[str, str, str | None]] = []

        def hear(request: Any) -> None:
            owner = request.headers.get("x-amz-expected-bucket-owner")
            heard.append((request.method, request.url, owner.decode() if isinstance(owner, bytes) else owner))

        bucket = f"owned-artifacts-{self.ACCOUNT}-{REGION}"
        with self.listened(hear):
            self.deploy("owned", 0)
            # Old artifacts are there to be cleared away.
            for number in range(stack.KEPT + 1):
                client("s3").put_object(Bucket=bucket, Key=str(number), Body=b"x")
            self.deploy("owned", 0)
            self.assertEqual(run(["destroy", "--name", "owned", "--yes", "owned"], FakeTerminal()), 0)
        # All but the call that makes it, which fails where somebody else has.
        ((method, url, _),) = [call for call in heard if call[2] != self.ACCOUNT]
        self.assertEqual((method, url.rsplit("/", 1)[1]), ("PUT", bucket))
        self.assertEqual({method for method, _, _ in heard}, {"HEAD", "PUT", "GET", "DELETE"})

    def test_somebody_elses_is_refused_before_anything_is_made(self) -> None:
        def answer(status: int, body: bytes) -> AWSResponse:
            return AWSResponse("", status, {}, mock.Mock(stream=lambda: [body]))

        refused = answer(403, b"")
        with self.listened(lambda _: refused):
            said = self.deploy("squatted", 1)
        self.assertIn(f"squatted-artifacts-{self.ACCOUNT}-{REGION} is another account's", said)
        self.assertIn("--name", said)
        self.assertEqual(secrets("squatted"), {})
        self.assertIsNone(stack.describe(client("cloudformation"), "squatted"))

        # Made by somebody else since it was looked for.
        late = answer(409, b"<Error><Code>BucketAlreadyExists</Code><Message>It is there.</Message></Error>")
        with self.listened(lambda request: late if request.method == "PUT" else None):
            self.assertIn("is another account's", self.deploy("squatted", 1))
        self.assertIsNone(stack.describe(client("cloudformation"), "squatted"))


class Destroying(unittest.TestCase):
    def test_only_by_its_name_and_then_all_of_it(self) -> None:
        name = "doomed"
        environment = {"ANTHROPIC_API_KEY": KEY, "OUTLAST_ACCESS": "open", "OUTLAST_DAILY_USD": "5"}
        self.assertEqual(run(["deploy", "--name", name, "--region", REGION], FakeTerminal(), **environment), 0)
        script = FakeTerminal()
        self.assertEqual(run(["destroy", "--name", name], script), 1)
        self.assertIn("not destroyed: give --yes doomed", script.text())
        person = FakeTerminal({"Type doomed": "yes"})
        self.assertEqual(run(["destroy", "--name", name], person), 1)
        self.assertIn("not destroyed", person.text())
        self.assertEqual(protected(name), (True, True))

        person = FakeTerminal({"Type doomed": name})
        self.assertEqual(run(["destroy", "--name", name], person), 0, person.text())
        for lost in ("the table doomed", "every chat", "log lines", "the secrets: ANTHROPIC_API_KEY"):
            self.assertIn(lost, person.text())
        self.assertIsNone(stack.describe(client("cloudformation"), name))
        self.assertEqual(secrets(name), {})
        self.assertNotIn(name, client("dynamodb").list_tables()["TableNames"])
        buckets = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
        self.assertFalse([bucket for bucket in buckets if bucket.startswith(name)])
        script = FakeTerminal()
        self.assertEqual(run(["destroy", "--name", name, "--region", REGION, "--yes", name], script), 1)
        self.assertIn("there is no doomed", script.text())


class Same(unittest.TestCase):
    def test_the_checks_run_what_is_deployed_with(self) -> None:
        def pins(path: str) -> set[str]:
            return {line for line in (INFRA / path).read_text().splitlines() if line and not line.startswith("#")}

        self.assertLessEqual(pins("requirements.txt"), pins("tests/requirements.txt"))

    def test_every_option_is_a_parameter(self) -> None:
        parameters = set(template()["Parameters"])
        self.assertLessEqual({parameter for _, _, parameter, _ in settings.OPTIONS}, parameters)
        own = {"Access", "DailyUsd", "OriginSecret", "CodeBucket", "CodeKey", "Architecture"}
        own |= {"SecretsPath", "SecretsVersion"}
        self.assertEqual(parameters - {parameter for _, _, parameter, _ in settings.OPTIONS}, own)

    def test_what_the_manual_says_is_needed_is_what_is_called(self) -> None:
        manual = (INFRA.parent / "docs/deploy.md").read_text()
        source = "".join(path.read_text() for path in INFRA.glob("*.py"))
        session = botocore.session.get_session()
        for service in ("cloudformation", "ssm", "dynamodb"):
            names = {botocore.xform_name(name): name for name in session.get_service_model(service).operation_names}
            used = re.findall(rf"\b{service}\.([a-z_0-9]+)\(", source)
            used += re.findall(rf'\b{service}\.get_paginator\("([a-z_0-9]+)"\)', source)
            self.assertTrue(set(used) & set(names))
            for call in set(used) & set(names):
                self.assertIn(f'"{service}:{names[call]}"', manual)
