"""Classify many: the second machine, which does what the first does for everything under a prefix.

It is made from the first machine as that is deployed, so both treat a picture alike; every picture
is an execution of its own, and the results lie in the bucket as files.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scones.clients import Clients
from scones.workflow.deploy import last_deployment, machine_arn, wait_in_service
from scones.workflow.machine import FOLDER, filled
from scones.workflow.progress import Steps, silent
from scones.workflow.train import stamp

TEMPLATE = FOLDER / "classify-many.asl.json"
RESULTS = "classified"
"""Where in the bucket the results go."""
LOOK_S = 0.5


@dataclass(frozen=True)
class Many:
    """What came of it."""

    execution_arn: str
    map_run_arn: str
    counts: dict[str, int]
    """Pictures by bay, and by the failed state's error name."""
    manifest: str
    """Where the result files are listed: "s3://bucket/key"."""


def place(url: str) -> tuple[str, str]:
    """Bucket and prefix of "s3://bucket/prefix"; ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ValueError(f"pictures are at {url!r}; it should be a place such as s3://bucket/test/")
    return parts.netloc, parts.path.lstrip("/")


def classify_many(clients: Clients, url: str, steps: Steps = silent) -> Many:
    """Classify every object under a prefix; ValueError if there is none or the machine fails."""
    bucket, prefix = place(url)
    with steps("classify") as step:
        wait_in_service(clients, last_deployment(clients).endpoint_config, step)
        given = {
            "s3_bucket": bucket,
            "prefix": prefix,
            "results_bucket": clients.bucket,
            "results_prefix": RESULTS,
        }
        execution = clients.machines.start_execution(
            stateMachineArn=_second_machine(clients),
            name=stamp(clients.clock()),
            input=json.dumps(given),
        )["executionArn"]
        described = _await(clients, execution, step)
    if described["status"] != "SUCCEEDED":
        raise ValueError(f"the machine ended {described['status']}: {described.get('cause')}")
    output = json.loads(described["output"])
    written = output["ResultWriterDetails"]
    counts = Counter(_results(clients, written["Bucket"], written["Key"]))
    if not counts:
        raise ValueError(f"there is nothing under {url}")
    manifest = f"s3://{written['Bucket']}/{written['Key']}"
    return Many(execution, output["MapRunArn"], dict(counts.most_common()), manifest)


def definition(first: str, parallel: int) -> str:
    """The second machine, from the definition of the first."""
    one = json.loads(first)
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": one["StartAt"],
        "States": one["States"],
    }
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    return json.dumps(filled(template, {"one picture": processor, "parallel": parallel}), indent=2)


def _second_machine(clients: Clients) -> str:
    """Make it, or bring it up to date; its ARN."""
    machines, first = clients.machines, machine_arn(clients)
    there = machines.describe_state_machine(stateMachineArn=first)
    text = definition(there["definition"], clients.settings.parallel)
    arn, name = f"{first}-many", f"{clients.settings.machine}-many"
    try:
        before = machines.describe_state_machine(stateMachineArn=arn)
    except machines.exceptions.StateMachineDoesNotExist:
        tags = [{"key": key, "value": value} for key, value in clients.tags.items()]
        machines.create_state_machine(
            name=name, definition=text, roleArn=clients.role, type="STANDARD", tags=tags
        )
        return arn
    if (before["definition"], before["roleArn"]) != (text, clients.role):
        machines.update_state_machine(stateMachineArn=arn, definition=text, roleArn=clients.role)
    return arn


def _await(clients: Clients, execution: str, step: Any) -> dict[str, Any]:
    """Look until it is over, and tell how many pictures are done."""
    machines = clients.machines
    while True:
        described: dict[str, Any] = machines.describe_execution(executionArn=execution)
        for run in machines.list_map_runs(executionArn=execution)["mapRuns"]:
            counts = machines.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
            done = counts["succeeded"] + counts["failed"]
            step.say(f"{done} of {counts['total']} pictures, {counts['failed']} refused or failed")
        if described["status"] != "RUNNING":
            return described
        clients.sleep(LOOK_S if clients.settings.local else clients.poll_s)


def _results(clients: Clients, bucket: str, manifest: str) -> Iterator[str]:
    """For each picture its bay, or the name of its error."""
    listed = json.loads(clients.s3.get_object(Bucket=bucket, Key=manifest)["Body"].read())
    for status, files in listed["ResultFiles"].items():
        for file in files:
            body = clients.s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read()
            for each in json.loads(body):
                if status == "SUCCEEDED":
                    yield str(json.loads(each["Output"])["route"]["bay"])
                else:
                    yield str(each.get("Error") or status.lower())


def tally(many: Many) -> str:
    """What came of it, in one line."""
    counts = ", ".join(f"{count} {name}" for name, count in many.counts.items())
    return f"{sum(many.counts.values())} pictures: {counts}; listed in {many.manifest}"
