"""The template by itself: valid, and in step with the server."""

import json
import re
import unittest
from typing import Any

import cfnlint
from support import INFRA, TEMPLATE, rust, template, transformed, variables


def walk(node: Any) -> Any:
    """Every mapping in it."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


class Valid(unittest.TestCase):
    def test_cfn_lint_has_nothing_to_say(self) -> None:
        config = cfnlint.ManualArgs(regions=["us-east-1", "eu-central-1", "ap-southeast-2"])
        found = cfnlint.lint_file(TEMPLATE, config)
        self.assertEqual([str(match) for match in found], [])

    def test_cfn_lint_would_say_it(self) -> None:
        broken = TEMPLATE.read_text().replace("BillingMode: PAY_PER_REQUEST", "BillingMode: SOMETIMES")
        self.assertTrue(cfnlint.lint(broken, regions=["us-east-1"]))

    def test_only_templates_are_yaml_here(self) -> None:
        yaml = [path for kind in ("*.yaml", "*.yml") for path in INFRA.glob(kind)]
        self.assertEqual(yaml, [TEMPLATE])

    def test_sam_leaves_nothing_of_its_own(self) -> None:
        made = transformed()
        self.assertNotIn("Transform", made)
        kinds = {resource["Type"] for resource in made["Resources"].values()}
        self.assertFalse([kind for kind in kinds if kind.startswith("AWS::Serverless")])
        # Its own role would be wider than ours.
        roles = [name for name, made in made["Resources"].items() if made["Type"] == "AWS::IAM::Role"]
        self.assertEqual(roles, ["Role"])

    def test_it_fits_into_a_request(self) -> None:
        self.assertLess(TEMPLATE.stat().st_size, 51_200)

    def test_every_parameter_is_explained(self) -> None:
        made = template()
        groups = made["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(grouped), sorted(made["Parameters"]))
        manual = (INFRA.parent / "docs/deploy.md").read_text()
        for name, parameter in made["Parameters"].items():
            self.assertGreater(len(parameter["Description"]), 20, name)
            self.assertIn(f"`{name}`", manual)


class Way(unittest.TestCase):
    def setUp(self) -> None:
        self.made = transformed()["Resources"]

    def test_both_permissions_of_a_public_address(self) -> None:
        permissions = [made["Properties"] for made in self.made.values() if made["Type"] == "AWS::Lambda::Permission"]
        by_action = {permission["Action"]: permission for permission in permissions}
        self.assertEqual(set(by_action), {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"})
        self.assertEqual(by_action["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"], "NONE")
        # Without it anybody could invoke the function past its address, with an event of their own.
        self.assertIs(by_action["lambda:InvokeFunction"]["InvokedViaFunctionUrl"], True)

    def test_the_address_streams(self) -> None:
        url = self.made["FunctionUrl"]["Properties"]
        self.assertEqual((url["AuthType"], url["InvokeMode"]), ("NONE", "RESPONSE_STREAM"))

    def test_one_message_at_a_time_from_both_queues(self) -> None:
        sources = [
            made["Properties"] for made in self.made.values() if made["Type"] == "AWS::Lambda::EventSourceMapping"
        ]
        of = {source["EventSourceArn"]["Fn::GetAtt"][0]: source for source in sources}
        self.assertEqual(set(of), {"Queue", "DeadLetters"})
        for source in of.values():
            self.assertEqual(source["BatchSize"], 1)
            self.assertIn("MaximumConcurrency", source["ScalingConfig"])
            # Switched off, nothing is taken out: each refused delivery would count.
            self.assertEqual(source["Enabled"], {"Fn::If": ["IsOn", True, False]})
            # A streamed answer's body is not read, so there are no partial ones.
            self.assertNotIn("FunctionResponseTypes", source)

    def test_queues_as_the_server_takes_them(self) -> None:
        queue, dead = self.made["Queue"]["Properties"], self.made["DeadLetters"]["Properties"]
        self.assertEqual(dead["QueueName"], {"Fn::Sub": "${AWS::StackName}-dead"})
        self.assertEqual(queue["QueueName"], {"Ref": "AWS::StackName"})
        self.assertIn('ends_with("-dead")', rust("http/events.rs"))
        deliveries = re.search(r"const DELIVERIES: u32 = (\d+);", rust("queue/sqs.rs"))
        assert deliveries
        self.assertEqual(queue["RedrivePolicy"]["maxReceiveCount"], int(deliveries[1]))
        self.assertNotIn("RedrivePolicy", dead)
        timeout = self.made["Function"]["Properties"]["Timeout"]
        self.assertEqual(timeout, 900)
        for each in (queue, dead):
            self.assertGreaterEqual(each["VisibilityTimeout"], timeout)
            self.assertLess(each["VisibilityTimeout"], 2 * timeout)
            self.assertEqual(each["MessageRetentionPeriod"], 1_209_600)

    def test_the_environment_is_the_servers(self) -> None:
        environment = self.made["Function"]["Properties"]["Environment"]["Variables"]
        ours = {name for name in environment if name.startswith("OUTLAST_")}
        unknown = ours - variables() - {"OUTLAST_SECRETS_PATH"}
        self.assertEqual(unknown, set(), "the server does not read them")
        self.assertEqual(environment["AWS_LWA_INVOKE_MODE"], "response_stream")
        path = environment["AWS_LWA_READINESS_CHECK_PATH"]
        self.assertIn(f'.route("{path}"', rust("router.rs"))
        self.assertIn(f'.route("{environment["AWS_LWA_PASS_THROUGH_PATH"]}"', rust("router.rs"))
        # Required on Lambda, and no secrets: those come from SSM.
        self.assertLessEqual({"OUTLAST_ACCESS", "OUTLAST_DAILY_USD"}, ours)
        secret = [name for name in environment if re.search("KEY|HASH|_SECRET$|PASSWORD", name)]
        self.assertEqual(secret, [])

    def test_the_adapter_is_the_one_that_the_tests_run(self) -> None:
        root = INFRA.parent
        (tested,) = re.findall(r'\("lambda_web_adapter", "([\d.]+)"\)', (root / "xtask/src/tools.rs").read_text())
        # Which of the layer's versions holds which adapter, by its maintainers' own notes.
        self.assertEqual({25: "0.9.1"}[template()["Parameters"]["AdapterLayerVersion"]["Default"]], tested)
        docker = (root / "infra/lambda/Dockerfile").read_text()
        self.assertEqual(re.findall(r"aws-lambda-adapter:([\d.]+)", docker), [tested])
        of = {
            "template": self.made["Function"]["Properties"]["Environment"]["Variables"],
            "image": dict(re.findall(r"\b(AWS_LWA_\w+)=(\S+)", docker)),
            "tests": dict(re.findall(r"(AWS_LWA_\w+): '([^']+)'", (root / "end2end/support/lambda.js").read_text())),
        }
        for variables in of.values():
            variables.pop("AWS_LWA_PORT", None)
        set_by = {who: {n: v for n, v in all.items() if n.startswith("AWS_LWA_")} for who, all in of.items()}
        self.assertEqual(set_by["template"], set_by["tests"])
        self.assertEqual(set_by["template"], set_by["image"])

    def test_no_default_opens_it_or_lifts_the_cap(self) -> None:
        parameters = template()["Parameters"]
        for name in ("Access", "DailyUsd"):
            self.assertNotIn("Default", parameters[name])
        cap = re.compile(parameters["DailyUsd"]["AllowedPattern"])
        for good in ("5", "2.50", "0.5", "1000000"):
            self.assertTrue(cap.search(good), good)
        # A nought before others would make the dashboard's JSON invalid.
        for bad in ("", "0", "0.0", "00", "05", "00.5", "none", "-1", "5 USD", "1e9"):
            self.assertFalse(cap.search(bad), bad)

    def test_alarms_can_be_turned_off_and_are_explained(self) -> None:
        runbook = (INFRA.parent / "docs/runbook.md").read_text()
        alarms = {
            name: made["Properties"] for name, made in self.made.items() if made["Type"] == "AWS::CloudWatch::Alarm"
        }
        self.assertEqual(len(alarms), 5)
        for name, alarm in alarms.items():
            self.assertEqual(alarm["TreatMissingData"], "notBreaching", name)
            heading = alarm["AlarmDescription"].rsplit("docs/runbook.md, ", 1)[1].rstrip(".")
            self.assertIn(f"\n### {heading}\n", runbook.lower(), name)

    def test_names_that_an_account_has_once_hold_the_region(self) -> None:
        named = {
            "<name>-<region>": self.made["Dashboard"]["Properties"]["DashboardName"],
            "<name>-<region>-viewer": self.made["ViewerFunction"]["Properties"]["Name"],
        }
        for name, made in named.items():
            whole = name.replace("<name>", "${AWS::StackName}").replace("<region>", "${AWS::Region}")
            self.assertEqual(made, {"Fn::Sub": whole})
        self.assertIn("dashboard is `<name>-<region>`", (INFRA.parent / "docs/runbook.md").read_text())

    def test_metrics_are_the_servers(self) -> None:
        body = self.made["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        board = json.loads(re.sub(r"\$\{[^}]+\}", "1", body))
        shown = set()
        for widget in board["widgets"]:
            space = None
            for metric in widget["properties"].get("metrics", []):
                space = metric[0] if metric[0] != "." else space
                if space == "Outlast":
                    shown.add(metric[1])
        for alarm in self.made.values():
            for node in walk(alarm["Properties"] if alarm["Type"] == "AWS::CloudWatch::Alarm" else {}):
                if node.get("Namespace") == "Outlast":
                    shown.add(node["MetricName"])
        written = set(re.findall(r'\("([A-Z][A-Za-z]+)", [A-Z]+, ', rust("report.rs")))
        self.assertIn("Claims", written)
        self.assertEqual(shown - written, set(), "the server writes no such metrics")
        self.assertIn('"Namespace": "Outlast", "Dimensions": [[]]', rust("report.rs"))

    def test_cloudfront_keeps_others_out_and_streams(self) -> None:
        config = self.made["Distribution"]["Properties"]["DistributionConfig"]
        (origin,) = config["Origins"]
        self.assertEqual(
            origin["OriginCustomHeaders"], [{"HeaderName": "x-outlast-origin", "HeaderValue": {"Ref": "OriginSecret"}}]
        )
        self.assertTrue(template()["Parameters"]["OriginSecret"]["NoEcho"])
        self.assertEqual(origin["CustomOriginConfig"]["OriginReadTimeout"], 120)
        # One reader's error is nobody else's.
        kept = {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in config["CustomErrorResponses"]}
        self.assertEqual(set(kept.values()), {0})
        self.assertGreaterEqual(set(kept), {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504})
        # What the server believes of a request that brings the secret (server/src/http/front.rs).
        passed = self.made["ViewerFunction"]["Properties"]["FunctionCode"]
        self.assertEqual(re.findall(r"headers\['([^']+)'\]", passed), ["x-forwarded-host", "x-outlast-viewer"])
        default = config["DefaultCacheBehavior"]
        self.assertIs(default["Compress"], False)
        self.assertIn("POST", default["AllowedMethods"])
        (cached,) = config["CacheBehaviors"]
        self.assertEqual(cached["PathPattern"], "/pkg/*")
        self.assertIn('.nest_service("/pkg"', rust("http/assets.rs"))
        self.assertNotEqual(cached["CachePolicyId"], default["CachePolicyId"])


class Table(unittest.TestCase):
    def test_as_init_makes_it(self) -> None:
        init, keys = rust("storage/init.rs"), rust("storage/keys.rs")
        names = dict(re.findall(r'pub const (\w+): &str = "(\w+)";', keys))
        indexes = re.findall(r'\(keys::(\w+), "(\w+)", "(\w+)", &\[([^\]]*)\]\)', init)
        self.assertEqual(len(indexes), 3)
        made = transformed()["Resources"]["Table"]["Properties"]

        def schema(of: list[dict[str, str]]) -> list[tuple[str, str]]:
            return [(key["AttributeName"], key["KeyType"]) for key in of]

        (main,) = re.findall(r'set_key_schema\(Some\(schema\("(\w+)", "(\w+)"\)', init)
        self.assertEqual(schema(made["KeySchema"]), [(main[0], "HASH"), (main[1], "RANGE")])
        wanted = {}
        for constant, partition, sort, held in indexes:
            attributes = re.findall(r'"(\w+)"', held)
            kind = "INCLUDE" if attributes else "KEYS_ONLY"
            wanted[names[constant]] = ([(partition, "HASH"), (sort, "RANGE")], kind, attributes)
        found = {
            index["IndexName"]: (
                schema(index["KeySchema"]),
                index["Projection"]["ProjectionType"],
                index["Projection"].get("NonKeyAttributes", []),
            )
            for index in made["GlobalSecondaryIndexes"]
        }
        self.assertEqual(found, wanted)
        (listed,) = re.findall(r"for name in \[([^\]]*)\] \{", init)
        attributes = {one["AttributeName"]: one["AttributeType"] for one in made["AttributeDefinitions"]}
        self.assertEqual(attributes, dict.fromkeys(re.findall(r'"(\w+)"', listed), "S"))
        (ttl,) = re.findall(r'TimeToLiveSpecification::builder\(\)\.attribute_name\("(\w+)"\)', init)
        self.assertEqual(made["TimeToLiveSpecification"], {"AttributeName": ttl, "Enabled": True})
        self.assertIn("BillingMode::PayPerRequest", init)
        self.assertEqual(made["BillingMode"], "PAY_PER_REQUEST")

    def test_it_is_guarded(self) -> None:
        made = transformed()["Resources"]["Table"]
        self.assertTrue(made["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
        self.assertEqual(made["UpdateReplacePolicy"], "Retain")
