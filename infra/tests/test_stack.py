"""The stack as a stand-in for AWS makes it, and the server on what it made."""

import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import vault
from aws import CODE, deployed
from support import ROOT, client, free_port, ministack, variables

NAME = "stack-checks"
# Ids as a browser makes them.
SESSION, TURN = "01JE0000000000000000000001", "01JE0000000000000000000002"


def binary() -> Path | None:
    """The server, where it has been built."""
    path = Path(os.environ.get("OUTLAST_BIN", ROOT / "dist/outlast"))
    return path if path.exists() else None


def shape(table: dict[str, Any]) -> dict[str, Any]:
    """What two tables of the same shape have in common."""
    indexes = {
        index["IndexName"]: (
            index["KeySchema"],
            index["Projection"]["ProjectionType"],
            sorted(index["Projection"].get("NonKeyAttributes", [])),
        )
        for index in table["GlobalSecondaryIndexes"]
    }
    attributes = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    return {
        "keys": table["KeySchema"],
        "attributes": attributes,
        "indexes": indexes,
        "billing": table["BillingModeSummary"]["BillingMode"],
    }


class Stack(unittest.TestCase):
    outputs: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.outputs = deployed(NAME)

    def environment(self) -> dict[str, str]:
        return client("lambda").get_function_configuration(FunctionName=NAME)["Environment"]["Variables"]

    def test_the_table(self) -> None:
        dynamodb = client("dynamodb")
        # ministack makes tables without their TTL and backups; test_template.py looks at those.
        made = shape(dynamodb.describe_table(TableName=self.outputs["Table"])["Table"])
        self.assertEqual(set(made["indexes"]), {"by_user", "by_day", "open"})

    def test_the_table_is_what_init_makes(self) -> None:
        outlast = binary()
        if outlast is None:
            self.skipTest("there is no dist/outlast")
        environment = {
            **self.server_environment(),
            "OUTLAST_TABLE": "by-init",
            "OUTLAST_QUEUE_URL": f"{ministack()}/000000000000/by-init",
        }
        subprocess.run([str(outlast), "init"], env=environment, check=True, capture_output=True, timeout=120)
        dynamodb = client("dynamodb")
        ours, theirs = (dynamodb.describe_table(TableName=name)["Table"] for name in (self.outputs["Table"], "by-init"))
        self.assertEqual(shape(ours), shape(theirs))
        sqs = client("sqs")
        policies = [
            self.attributes(sqs, url)["RedrivePolicy"]
            for url in (self.outputs["QueueUrl"], f"{ministack()}/000000000000/by-init")
        ]
        counts = {int(json.loads(policy)["maxReceiveCount"]) for policy in policies}
        self.assertEqual(counts, {5})

    def attributes(self, sqs: Any, url: str) -> dict[str, str]:
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def test_the_queues(self) -> None:
        sqs = client("sqs")
        main = self.attributes(sqs, self.outputs["QueueUrl"])
        dead = self.attributes(sqs, self.outputs["QueueUrl"] + "-dead")
        redrive = json.loads(main["RedrivePolicy"])
        self.assertEqual(redrive["deadLetterTargetArn"], dead["QueueArn"])
        self.assertEqual(int(redrive["maxReceiveCount"]), 5)
        self.assertEqual({main["VisibilityTimeout"], dead["VisibilityTimeout"]}, {"960"})

    def test_a_message_that_fails_five_times_is_a_dead_letter(self) -> None:
        sqs = client("sqs")
        for source in client("lambda").list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]:
            client("lambda").update_event_source_mapping(UUID=source["UUID"], Enabled=False)
        url = self.outputs["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="never taken")
        for _ in range(5):
            (got,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
        self.assertEqual(sqs.receive_message(QueueUrl=url).get("Messages", []), [])
        (dead,) = sqs.receive_message(QueueUrl=url + "-dead", WaitTimeSeconds=5)["Messages"]
        self.assertEqual(dead["Body"], "never taken")

    def test_the_function(self) -> None:
        function = client("lambda").get_function_configuration(FunctionName=NAME)
        self.assertEqual(function["Runtime"], "provided.al2023")
        self.assertEqual(
            (function["Architectures"], function["Timeout"], function["MemorySize"]), (["arm64"], 900, 256)
        )
        (layer,) = function["Layers"]
        self.assertRegex(layer["Arn"], r":eu-central-1:753240598075:layer:LambdaAdapterLayerArm64:\d+$")
        environment = self.environment()
        self.assertEqual(environment["OUTLAST_TABLE"], self.outputs["Table"])
        self.assertEqual(environment["OUTLAST_QUEUE_URL"], self.outputs["QueueUrl"])
        self.assertEqual(environment["OUTLAST_SECRETS_PATH"], f"/outlast/{NAME}")
        sources = client("lambda").list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
        self.assertEqual(sorted(one["EventSourceArn"].rsplit(":", 1)[1] for one in sources), [NAME, f"{NAME}-dead"])
        self.assertEqual({one["BatchSize"] for one in sources}, {1})
        url = client("lambda").get_function_url_config(FunctionName=NAME)
        self.assertEqual((url["AuthType"], url["InvokeMode"]), ("NONE", "RESPONSE_STREAM"))

    def server_environment(self) -> dict[str, str]:
        """The function's own, with its services here."""
        ours = {name: value for name, value in self.environment().items() if name.startswith("OUTLAST_")}
        if "OUTLAST_SECRETS_PATH" not in variables():
            # What a server does itself that reads them from SSM.
            del ours["OUTLAST_SECRETS_PATH"]
            ours |= vault.read(client("ssm"), NAME)
        return {
            **ours,
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": ministack(),
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "OUTLAST_SITE": os.environ.get("OUTLAST_SITE", ""),
        }

    def start(self, url: str, *command: str, **environment: str) -> None:
        """Starts a program, and waits until it answers there."""
        log = tempfile.TemporaryFile()
        self.addCleanup(log.close)
        child = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.addCleanup(child.wait, 30)
        self.addCleanup(child.terminate)
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return
            except urllib.error.HTTPError as answer:
                answer.close()
                return
            except OSError:
                if child.poll() is not None:
                    log.seek(0)
                    self.fail(f"{command}: {log.read().decode()}")
                time.sleep(0.02)

    def test_the_server_runs_on_it(self) -> None:
        """With the secrets that were typed: it asks for the code, chats, and stores in the stack's table."""
        outlast = binary()
        if outlast is None:
            self.skipTest("there is no dist/outlast")
        claude, site = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.start(
            claude, str(outlast), "simulate", "--addr", claude.removeprefix("http://"), **self.server_environment()
        )
        environment = {
            **self.server_environment(),
            "ANTHROPIC_BASE_URL": claude,
            "OUTLAST_ADDR": site.removeprefix("http://"),
        }
        self.start(f"{site}/healthz", str(outlast), "serve", **environment)
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

        def post(path: str, **form: str) -> str:
            data = urllib.parse.urlencode(form).encode()
            with browser.open(f"{site}{path}", data, timeout=60) as answer:
                return answer.read().decode()

        def send() -> str:
            text = "Hello\n/sim tokens=20 rate=0 seed=1"
            return post("/api/chat/send", session_id=SESSION, turn_id=TURN, new="true", text=text)

        with self.assertRaises(urllib.error.HTTPError) as refused:
            send()
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        post("/sign-in", secret=CODE)
        stream = send()
        events = re.findall(r"^event: text\n(?:id: .*\n)?data: (.*)$", stream, re.MULTILINE)
        shown = "".join(json.loads(data)["text"] for data in events)
        self.assertIn("event: end", stream)
        self.assertTrue(shown)
        with browser.open(f"{site}/api/sessions/get?session_id={SESSION}", timeout=60) as answer:
            messages = json.load(answer)["messages"]
        self.assertEqual([message["text"] for message in messages][-1], shown)
        stored = client("dynamodb").query(
            TableName=self.outputs["Table"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"SESSION#{SESSION}"}},
        )
        self.assertGreaterEqual(stored["Count"], 3)
