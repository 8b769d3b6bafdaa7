"""The artifact's bucket and CloudFormation's stack."""

import hashlib
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from settings import Refusal

Say = Callable[[str], None]

POLL_SECONDS = 3.0
# So many artifacts stay in the bucket: a rollback may need the one before.
KEPT = 3
# Reasons that name only what else went wrong.
ECHOES = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")
NO_ROOM = "give --reserved-concurrency none, or ask Amazon for a higher quota of concurrency"
# What a reason holds, and what would do.
HINTS = {
    "UnreservedConcurrentExecution": NO_ROOM,
    "ReservedConcurrentExecutions": NO_ROOM,
    "already exists": "something of that name is there that is not this stack's; give another --name",
    "is not authorized to perform": "your AWS user lacks that permission; docs/deploy.md lists them",
    "layer:LambdaAdapterLayer": "that version of the adapter's layer is not in this region; give --adapter-layer",
}


# What an executable for Linux says of the machine that it is for (ELF, e_machine).
MACHINES = {0xB7: "arm64", 0x3E: "x86_64"}


def architecture(artifact: Path) -> str:
    """What the artifact was made for, as Lambda calls it: on any other its instances could not start."""
    try:
        with zipfile.ZipFile(artifact) as archive, archive.open("outlast") as program:
            head = program.read(20)
    except (OSError, KeyError, zipfile.BadZipFile) as fault:
        raise Refusal(f"{artifact} holds no program called outlast; `make lambda` makes it anew") from fault
    machine = int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else None
    if machine not in MACHINES:
        raise Refusal(f"what {artifact} holds is a program for neither arm64 nor x86_64; `make lambda` makes it anew")
    return MACHINES[machine]


def code(fault: ClientError) -> str:
    return fault.response.get("Error", {}).get("Code", "")


def bucket_name(name: str, account: str, region: str) -> str:
    return f"{name}-artifacts-{account}-{region}"


def owned(s3: Any, account: str) -> Any:
    """The client, whose calls all fail at a bucket that is not that account's.

    The bucket's name can be guessed, and names are the whole world's: whoever made it first would be sent the artifact,
    and could put another in its place.
    """

    def expect(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        # CreateBucket has no owner to expect yet: it fails where there is one.
        known = "ExpectedBucketOwner" in model.input_shape.members
        return {**params, "ExpectedBucketOwner": account} if known else params

    s3.meta.events.register("provide-client-params.s3", expect)
    return s3


def foreign(bucket: str) -> Refusal:
    return Refusal(
        f"the bucket {bucket} is another account's, or your AWS user may not look at it (s3:ListBucket); "
        "if it is not yours, give another --name"
    )


def has_bucket(s3: Any, bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
        return True
    except ClientError as fault:
        # A HEAD's answer has no words in it, only the status.
        if code(fault) in ("403", "AccessDenied"):
            raise foreign(bucket) from fault
        if code(fault) not in ("404", "NoSuchBucket", "NotFound"):
            raise
        return False


def make_bucket(s3: Any, bucket: str, region: str, say: Say) -> None:
    where: dict[str, Any] = (
        {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except ClientError as fault:
        if code(fault) == "BucketAlreadyExists":
            raise foreign(bucket) from fault
        raise
    # New buckets are private; this says so in so many words, and keeps it that way.
    closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
    say(f"Made the bucket {bucket} for the artifact.")


def upload(s3: Any, bucket: str, artifact: Path, say: Say) -> str:
    """Its key, which names its content."""
    data = artifact.read_bytes()
    key = f"outlast-{hashlib.sha256(data).hexdigest()[:16]}.zip"
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as fault:
        if code(fault) not in ("404", "NoSuchKey", "NotFound"):
            raise
        s3.put_object(Bucket=bucket, Key=key, Body=data)
        say(f"Uploaded the artifact, {len(data) / 1e6:.1f} MB.")
    return key


def prune(s3: Any, bucket: str, current: str) -> None:
    objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    others = sorted(
        (one for one in objects if one["Key"] != current), key=lambda one: one["LastModified"], reverse=True
    )
    for old in others[KEPT - 1 :]:
        s3.delete_object(Bucket=bucket, Key=old["Key"])


def empty_and_delete(s3: Any, bucket: str) -> bool:
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for one in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=one["Key"])
        s3.delete_bucket(Bucket=bucket)
        return True
    except ClientError as fault:
        if code(fault) in ("404", "NoSuchBucket"):
            return False
        raise


def describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """The stack, if there is one."""
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as fault:
        if code(fault) == "ValidationError" and "does not exist" in str(fault):
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def alive(found: dict[str, Any]) -> bool:
    """Whether it is more than what a first attempt that failed has left behind."""
    return found["StackStatus"] not in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")


def parameters(found: dict[str, Any]) -> dict[str, str]:
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])}


def outputs(found: dict[str, Any]) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


def events(cloudformation: Any, stack_id: str, seen: set[str]) -> list[dict[str, Any]]:
    """Those that have not been seen, oldest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    fresh = [one for page in pages for one in page["StackEvents"] if one["EventId"] not in seen]
    seen.update(one["EventId"] for one in fresh)
    return fresh[::-1]


def cause(failed: list[dict[str, Any]]) -> str:
    """The first failure's own reason, on one line, with what would do where that is known."""
    for event in failed:
        reason = " ".join(event.get("ResourceStatusReason", "").split())
        if reason and not reason.startswith(ECHOES):
            hint = next((what for part, what in HINTS.items() if part in reason), None)
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}" + (f" [{hint}]" if hint else "")
    return "no reason was given; the CloudFormation console has the stack's events"


def wait(cloudformation: Any, stack_id: str, seen: set[str], say: Say) -> dict[str, Any]:
    """Tells what happens until the stack stands still. Raises with the cause if it did not end well."""
    failed: list[dict[str, Any]] = []
    while True:
        (found,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
        for event in events(cloudformation, stack_id, seen):
            status = event["ResourceStatus"]
            if status.endswith("_FAILED"):
                failed.append(event)
            if event["ResourceType"] != "AWS::CloudFormation::Stack" and status.endswith(("_COMPLETE", "_FAILED")):
                say(f"  {event['LogicalResourceId']}: {status.lower().replace('_', ' ')}")
        status = found["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
        return found
    back = "; everything is as it was before" if status == "UPDATE_ROLLBACK_COMPLETE" else ""
    raise Refusal(f"CloudFormation gave up ({status}){back}. The cause is {cause(failed)}")


def protect(cloudformation: Any, dynamodb: Any, name: str, table: str, on: bool) -> None:
    """Whether the stack and its table can be deleted by a slip, in the console or elsewhere."""
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=on)
    described = dynamodb.describe_table(TableName=table)["Table"]
    if described.get("DeletionProtectionEnabled", False) != on:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=on)


def delete(cloudformation: Any, found: dict[str, Any], say: Say) -> None:
    seen: set[str] = set()
    events(cloudformation, found["StackId"], seen)
    cloudformation.delete_stack(StackName=found["StackId"])
    wait(cloudformation, found["StackId"], seen, say)


def apply(cloudformation: Any, name: str, template: str, values: dict[str, str], say: Say) -> dict[str, Any]:
    """Makes or updates the stack by a change set; values that are not given stay as they are."""
    found = describe(cloudformation, name)
    if found and not alive(found):
        say("Clearing away what is left of an attempt that failed.")
        delete(cloudformation, found, lambda _: None)
        found = None
    if found and found["StackStatus"].endswith("_IN_PROGRESS"):
        raise Refusal(f"the stack {name} is being changed ({found['StackStatus']}); wait until that is over")
    known = cloudformation.get_template_summary(TemplateBody=template)["Parameters"]
    chosen = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    if found:
        before = parameters(found)
        keep = [one["ParameterKey"] for one in known if one["ParameterKey"] not in values]
        chosen += [{"ParameterKey": key, "UsePreviousValue": True} for key in keep if key in before]
    seen: set[str] = set()
    if found:
        events(cloudformation, found["StackId"], seen)
    change = f"deploy-{int(time.time() * 1000)}"
    made = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=change,
        ChangeSetType="UPDATE" if found else "CREATE",
        TemplateBody=template,
        Parameters=chosen,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    while True:
        state = cloudformation.describe_change_set(ChangeSetName=change, StackName=name)
        if state["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    if state["Status"] == "FAILED":
        cloudformation.delete_change_set(ChangeSetName=change, StackName=name)
        reason = state.get("StatusReason", "")
        if "didn't contain changes" in reason or "No updates are to be performed" in reason:
            say("Nothing is to be changed.")
            assert found
            return found
        raise Refusal(f"CloudFormation refuses the change: {' '.join(reason.split())}")
    if found and not state.get("Changes"):
        cloudformation.delete_change_set(ChangeSetName=change, StackName=name)
        say("Nothing is to be changed.")
        return found
    say("Updating; some minutes." if found else "Making it; about 3 minutes (with CloudFront about 8).")
    cloudformation.execute_change_set(ChangeSetName=change, StackName=name)
    return wait(cloudformation, made["StackId"], seen, say)
