"""The stack as a stand-in for AWS makes it, and the server on what it made."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from aws import deployed
from support import ROOT, client, ministack

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
        """The function's own, where its services are here and Claude is the simulator."""
        ours = {
            name: value
            for name, value in self.environment().items()
            if name.startswith("OUTLAST_") and name != "OUTLAST_SECRETS_PATH"
        }
        return {
            **ours,
            "PATH": os.environ["PATH"],
            "OUTLAST_ACCESS": "open",
            "OUTLAST_LOG": "text",
            "AWS_ENDPOINT_URL": ministack(),
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "OUTLAST_ADDR": "127.0.0.1:0",
            "OUTLAST_SITE": os.environ.get("OUTLAST_SITE", ""),
        }

    def test_the_server_runs_on_it(self) -> None:
        outlast = binary()
        if outlast is None:
            self.skipTest("there is no dist/outlast")
        data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, data)
        environment = {**self.server_environment(), "OUTLAST_DATA_DIR": data}
        server = subprocess.Popen(
            [str(outlast), "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.addCleanup(server.wait, 30)
        self.addCleanup(server.terminate)
        assert server.stdout
        self.addCleanup(server.stdout.close)
        said = []
        for line in server.stdout:
            said.append(line)
            if at := re.search(r"http://127\.0\.0\.1:\d+", re.sub(r"\x1b\[[0-9;]*m", "", line)):
                # The simulator has an address too.
                try:
                    with urllib.request.urlopen(f"{at[0]}/healthz", timeout=5) as answer:
                        if answer.read() == b"ok":
                            break
                except OSError:
                    continue
        else:
            self.fail("the server did not start: " + "".join(said))
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

        def post(path: str, **form: str) -> str:
            data = urllib.parse.urlencode(form).encode()
            with browser.open(f"{at[0]}{path}", data, timeout=60) as answer:
                return answer.read().decode()

        stream = post(
            "/api/chat/send", session_id=SESSION, turn_id=TURN, new="true", text="Hello\n/sim tokens=20 rate=0 seed=1"
        )
        shown = "".join(
            json.loads(data)["text"]
            for data in re.findall(r"^event: text\n(?:id: .*\n)?data: (.*)$", stream, re.MULTILINE)
        )
        self.assertIn("event: end", stream)
        self.assertTrue(shown)
        with browser.open(f"{at[0]}/api/sessions/get?session_id={SESSION}", timeout=60) as answer:
            messages = json.load(answer)["messages"]
        self.assertEqual([message["text"] for message in messages][-1], shown)
        stored = client("dynamodb").query(
            TableName=self.outputs["Table"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"SESSION#{SESSION}"}},
        )
        self.assertGreaterEqual(stored["Count"], 3)
