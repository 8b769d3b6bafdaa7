"""What the server calls and what it is allowed, compared both ways.

Calls are found in the source by the names that the SDKs give their operations, so a new one cannot be overlooked.
Which program makes a call follows from the function it stands in; one in a function that is not known here fails.
"""

import re
import unittest
from typing import Any

import botocore.session
from botocore import xform_name
from support import SERVER, rust, transformed, variables

# What an operation has to be allowed; transactions and batches by what is in them (below).
ACTIONS = {
    "get_item": ("dynamodb:GetItem",),
    "put_item": ("dynamodb:PutItem",),
    "update_item": ("dynamodb:UpdateItem",),
    "delete_item": ("dynamodb:DeleteItem",),
    "query": ("dynamodb:Query",),
    "batch_write_item": ("dynamodb:BatchWriteItem",),
    "transact_write_items": (),
    "send_message": ("sqs:SendMessage",),
    "send_message_batch": ("sqs:SendMessage",),
    "receive_message": ("sqs:ReceiveMessage",),
    "delete_message": ("sqs:DeleteMessage",),
    "change_message_visibility": ("sqs:ChangeMessageVisibility",),
    "get_queue_attributes": ("sqs:GetQueueAttributes",),
    "get_parameters_by_path": (),  # SECRETS, however it is called
}
# Service Authorization Reference, "Actions defined by Amazon DynamoDB": a transaction needs its parts' actions.
PARTS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Get": "dynamodb:GetItem",
}
SERVERS, WORKER, DOCTOR, OPERATOR = "serve", "worker", "doctor", "init"
# Functions of the queue's client, and whose they are. All of storage but init.rs is the server's.
QUEUE = {
    "send": SERVERS,
    "receive": WORKER,
    "keep": WORKER,
    "delete": WORKER,
    "ping": DOCTOR,
    "init": OPERATOR,
    "create": OPERATOR,
}
# Lambda itself takes messages out, in the role's name
# (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", permissions).
EVENT_SOURCE = {
    (action, queue)
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    for queue in ("Queue", "DeadLetters")
}
LOGS = {("logs:CreateLogStream", "LogGroup"), ("logs:PutLogEvents", "LogGroup")}
SECRETS = {("ssm:GetParametersByPath", "secrets")}


def operations() -> set[str]:
    session = botocore.session.get_session()
    names = set()
    for service in ("dynamodb", "sqs", "ssm"):
        names |= {xform_name(name) for name in session.get_service_model(service).operation_names}
    return names


def code(text: str) -> str:
    """Without tests and comments, each as long as it was."""
    text = text.split("#[cfg(test)]\nmod tests {", 1)[0]
    return re.sub(r"//[^\n]*", lambda comment: " " * len(comment[0]), text)


def function_at(text: str, at: int) -> str:
    names = re.findall(r"\bfn (\w+)", text[:at])
    return names[-1] if names else ""


def calls() -> list[tuple[str, str, str]]:
    """Every call of an SDK: who makes it, its operation, and where it stands."""
    known = operations()
    found = []
    for path in sorted(SERVER.rglob("*.rs")):
        where = str(path.relative_to(SERVER))
        text = code(path.read_text())
        # Elsewhere a `query()` is an address's.
        if not where.startswith(("storage/", "queue/")) and "aws_sdk_" not in text:
            continue
        for match in re.finditer(r"\.([a-z_]+)\(\)", text):
            if match[1] not in known:
                continue
            function = function_at(text, match.start())
            if where == "storage/init.rs":
                who = OPERATOR
            elif where.startswith("storage/") or match[1] == "get_parameters_by_path":
                who = SERVERS
            else:
                who = QUEUE.get(function, "")
            found.append((who, match[1], f"{where}, fn {function}"))
    return found


def indexes() -> set[str]:
    names = dict(re.findall(r'pub const (\w+): &str = "(\w+)";', rust("storage/keys.rs")))
    used = set()
    for path in SERVER.glob("storage/*.rs"):
        if path.name not in ("init.rs", "keys.rs"):
            used |= {names[one] for one in re.findall(r"\bkeys::(BY_USER|BY_DAY|OPEN)\b", code(path.read_text()))}
    return used


def needed(*programs: str) -> set[tuple[str, str]]:
    """Pairs of action and resource."""
    pairs = set()
    for who, operation, _ in calls():
        if who not in programs:
            continue
        for action in ACTIONS[operation]:
            if action.startswith("dynamodb:"):
                pairs.add((action, "Table"))
            elif who == WORKER:
                pairs |= {(action, "Queue"), (action, "DeadLetters")}
            else:
                pairs.add((action, "Queue"))
        if operation == "query":
            pairs |= {("dynamodb:Query", f"index/{index}") for index in indexes()}
        if operation == "transact_write_items":
            text = code(rust("storage/request.rs"))
            pairs |= {(action, "Table") for part, action in PARTS.items() if re.search(rf"\b{part}::builder\(\)", text)}
    return pairs


def resource(written: Any) -> str:
    if isinstance(written, dict) and "Fn::GetAtt" in written:
        name, attribute = written["Fn::GetAtt"]
        assert attribute == "Arn", written
        return name
    text = written["Fn::Sub"]
    if text.startswith("${Table.Arn}/index/"):
        return text.removeprefix("${Table.Arn}/")
    if text.endswith(":parameter${SecretsPath}"):
        return "secrets"
    return text


def allowed(document: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & set(statement)
        actions, resources = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            for one in resources if isinstance(resources, list) else [resources]:
                pairs.append((action, resource(one)))
    return pairs


def policy(of: str) -> list[tuple[str, str]]:
    made = transformed()["Resources"]
    if of == "Role":
        (only,) = made["Role"]["Properties"]["Policies"]
        assert "ManagedPolicyArns" not in made["Role"]["Properties"]
        return allowed(only["PolicyDocument"])
    return allowed(made[of]["Properties"]["PolicyDocument"])


class Calls(unittest.TestCase):
    def test_each_is_known(self) -> None:
        found = calls()
        self.assertGreater(len(found), 15)
        for who, operation, where in found:
            self.assertTrue(who, f"whose call is {operation} in {where}?")
            if who != OPERATOR:
                self.assertIn(operation, ACTIONS, where)

    def test_a_new_one_would_be_seen(self) -> None:
        self.assertTrue({"scan", "transact_get_items", "purge_queue", "get_parameters_by_path"} <= operations())
        self.assertEqual(code("a // .scan()\n#[cfg(test)]\nmod tests { b.scan() }").strip(), "a")

    def test_secrets_are_read_in_one_call(self) -> None:
        if "OUTLAST_SECRETS_PATH" not in variables():
            self.skipTest("this server does not read them from SSM yet")
        text = "".join(code(path.read_text()) for path in SERVER.rglob("*.rs"))
        self.assertRegex(text, r"GetParametersByPath|get_parameters_by_path\(\)")
        self.assertNotRegex(text, r"\bAmazonSSM\.(?!GetParametersByPath)")


class Policies(unittest.TestCase):
    def compare(self, name: str, wanted: set[tuple[str, str]]) -> None:
        written = policy(name)
        self.assertEqual(sorted(wanted - set(written)), [], f"{name}: missing")
        self.assertEqual(sorted(set(written) - wanted), [], f"{name}: spare")
        self.assertEqual(len(written), len(set(written)), f"{name}: something stands twice")

    def test_the_functions_role_is_what_it_calls(self) -> None:
        self.compare("Role", needed(SERVERS) | EVENT_SOURCE | LOGS | SECRETS)

    def test_the_workers_policy_is_what_they_call(self) -> None:
        self.compare("WorkerPolicy", needed(SERVERS, WORKER, DOCTOR) | SECRETS)

    def test_no_stars(self) -> None:
        for name in ("Role", "WorkerPolicy"):
            for action, one in policy(name):
                self.assertNotIn("*", action)
                self.assertNotIn("*", one)
