"""Report: fetch what was captured and how executions went, write what the monitor makes of it."""

import json
import os
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from scones.clients import Clients
from scones.monitor import report_page
from scones.monitor.capture import Record, read_records
from scones.monitor.curve import read_curve
from scones.monitor.report import Execution, Material, Report, examine
from scones.workflow.card import gate_of, read_card
from scones.workflow.deploy import Deployment, all_deployments, last_deployment
from scones.workflow.progress import Step, Steps, silent
from scones.workflow.staged import Staged, read_staged
from scones.workflow.train import log_lines

GATE_ERROR = "ThresholdConfidenceNotMet"
CAPTURE_WAIT_S = 240.0
"""How long a report on AWS waits for captures: they are delivered within a couple of minutes."""


def report(
    clients: Clients,
    steps: Steps = silent,
    seconds: Mapping[str, float] | None = None,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> Report:
    """Write `report_dir`, whole or not at all, and answer the figures.

    `seconds` are those of the steps before; this one's is added, and the total where there were
    any. Raises ValueError
    where nothing is deployed or `report_dir` cannot be written.
    """
    started = stopwatch()
    folder = clients.settings.report_dir
    with steps("report") as step:
        step.total(4)
        made = examine(gather(clients, step))
        step.say("pictures and page")
        pictures = report_page.draw(made)
        spent = {**(seconds or {}), "report": stopwatch() - started}
        if seconds:
            spent["total"] = sum(spent.values())
        made = replace(made, material=replace(made.material, seconds=spent))
        write(folder, list(report_page.files(made, pictures)), report_page.may_make())
        step.advance()
    return made


def check_folder(folder: Path) -> None:
    """Refuse a folder that a report cannot be written to, before the work and not after it."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(
            f"report_dir is {str(folder)!r}, which cannot be written; "
            "choose another with --report-dir"
        )


def write(folder: Path, files: Sequence[tuple[str, bytes]], may_make: Collection[str] = ()) -> None:
    """All files, made beside `folder` and moved in when the last is complete.

    What it could have made of `may_make` and did not is an earlier report's, and goes.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".report-", dir=folder) as unfinished:
            for name, content in files:
                (Path(unfinished) / name).write_bytes(content)
            for name, _ in files:
                (Path(unfinished) / name).replace(folder / name)
        for name in set(may_make) - {name for name, _ in files}:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"report_dir is {str(folder)!r}, which cannot be written ({error.strerror}); "
            "choose another with --report-dir"
        ) from error


def gather(clients: Clients, step: Step) -> Material:
    """Captures, executions, two histories and the training log, as plain data."""
    staged, deployment = read_staged(clients), last_deployment(clients)
    step.say("executions")
    executions = _executions(clients, deployment)
    step.advance()
    step.say("captured records")
    records, faults = captured(clients, deployment, len(executions), step)
    deployments = all_deployments(clients)
    records = of_same_pictures(records, deployments)
    step.advance()
    card = read_card(clients, deployment.job)
    gate, _ = gate_of(card)
    step.say("histories")
    endings = [(arn, each) for arn, each in executions if each.status != "RUNNING"]
    succeeded = next((arn for arn, each in endings if each.status == "SUCCEEDED"), None)
    stopped = [arn for arn, each in endings if each.error == GATE_ERROR]
    failed = [arn for arn, each in endings if each.status == "FAILED"]
    refused = next(iter(stopped + failed), None)
    material = Material(
        dataset=deployment.dataset,
        classes=deployment.classes,
        threshold=deployment.threshold,
        threshold_from=deployment.threshold_from,
        promise=deployment.promise,
        promises=[each.sentence() for each in gate.per_class] if gate else (),
        card=card,
        deployed_at=deployment.deployed_at,
        records=records,
        manifest=_manifest(staged, deployment),
        executions=[each for _, each in executions],
        epochs=read_curve(log_lines(clients, deployment.job)),
        definition=_definition(clients, deployment),
        succeeded_history=_history(clients, succeeded),
        failed_history=_history(clients, refused),
        faults=faults,
        gates_before=gates_before(records, deployments),
        names={
            "bucket": clients.bucket,
            "endpoint": deployment.endpoint,
            "state_machine": deployment.state_machine,
            "training_job": deployment.job,
        },
    )
    step.advance()
    return material


def captured(
    clients: Clients, deployment: Deployment, expected: int, step: Step
) -> tuple[list[Record], int]:
    """Every captured record of the endpoint, and how many lines were none.

    On the laptop they are written out first; on AWS this waits until those of `expected`
    executions have arrived, or `CAPTURE_WAIT_S` are over.
    """
    flushed = clients.flush()
    deadline = clients.clock() + CAPTURE_WAIT_S
    since = _since(deployment)
    contents: dict[str, bytes] = {}
    while True:
        _fetch(clients, deployment, contents)
        read = [read_records(lines, key) for key, lines in sorted(contents.items())]
        records = [record for found, _ in read for record in found]
        arrived = sum(record.inferred_at >= since for record in records)
        if flushed or arrived >= expected or clients.clock() > deadline:
            return records, sum(len(faults) for _, faults in read)
        step.say(f"{arrived} of {expected} captures have arrived")
        clients.sleep(clients.poll_s)


def of_same_pictures(records: Sequence[Record], deployments: Sequence[Deployment]) -> list[Record]:
    """Those answered by a model of the newest deployment's data set and classes.

    Confidences about drawn pictures say nothing beside those about photographs.
    """
    newest = deployments[-1]
    wanted = (newest.dataset, newest.classes)
    served = _served(records, deployments)
    return [
        record
        for record, by in zip(records, served, strict=True)
        if (by.dataset, by.classes) == wanted
    ]


def gates_before(
    records: Sequence[Record], deployments: Sequence[Deployment]
) -> tuple[tuple[datetime, float], ...]:
    """Until when, and at which threshold, records of earlier deployments than the newest were
    gated, the oldest first.
    """
    served = {id(by) for by in _served(records, deployments)}
    earlier = [each for each in deployments[:-1] if id(each) in served]
    ends = [_since(each) for each in (*earlier, deployments[-1])][1:]
    return tuple((end, each.threshold) for end, each in zip(ends, earlier, strict=True))


def _since(deployment: Deployment) -> datetime:
    """Capture times are cut to whole seconds."""
    return deployment.deployed_at.replace(microsecond=0)


def _served(records: Sequence[Record], deployments: Sequence[Deployment]) -> list[Deployment]:
    """By which deployment each record was answered."""
    since = [_since(each) for each in deployments]
    return [deployments[max(0, bisect_right(since, record.inferred_at) - 1)] for record in records]


def _fetch(clients: Clients, deployment: Deployment, contents: dict[str, bytes]) -> None:
    """Add the capture files that are not there yet; they never change once written."""
    prefix = f"{clients.settings.capture_prefix}/{deployment.endpoint}/"
    pages = clients.s3.get_paginator("list_objects_v2").paginate(
        Bucket=clients.bucket, Prefix=prefix
    )
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    new = [key for key in keys if key not in contents and key.endswith(".jsonl")]

    def get(key: str) -> bytes:
        body: bytes = clients.s3.get_object(Bucket=clients.bucket, Key=key)["Body"].read()
        return body

    with ThreadPoolExecutor(clients.settings.parallel) as pool:
        contents.update(zip(new, pool.map(get, new), strict=True))


def _manifest(staged: Staged, deployment: Deployment) -> Sequence[Any]:
    """What is staged now tells the truth only about a model of the same classes."""
    return staged.entries if staged.facts.classes == deployment.classes else ()


def _executions(clients: Clients, deployment: Deployment) -> list[tuple[str, Execution]]:
    """ARN and ending of the present deployment's executions, the oldest first."""
    machines = clients.machines
    pages = machines.get_paginator("list_executions").paginate(
        stateMachineArn=deployment.state_machine
    )
    found: list[tuple[str, str]] = []
    for page in pages:
        recent = [e for e in page["executions"] if e["startDate"] >= deployment.deployed_at]
        found += [(each["executionArn"], each["status"]) for each in recent]
        if len(recent) < len(page["executions"]):
            break  # the list begins with the newest

    def ending(each: tuple[str, str]) -> tuple[str, Execution]:
        arn, status = each
        if status in ("SUCCEEDED", "RUNNING"):
            return arn, Execution(status)
        answer = machines.describe_execution(executionArn=arn)
        return arn, Execution(status, answer.get("error"))

    with ThreadPoolExecutor(clients.settings.parallel) as pool:
        return list(pool.map(ending, reversed(found)))


def _definition(clients: Clients, deployment: Deployment) -> dict[str, Any]:
    answer = clients.machines.describe_state_machine(stateMachineArn=deployment.state_machine)
    definition: dict[str, Any] = json.loads(answer["definition"])
    return definition


def _history(clients: Clients, arn: str | None) -> list[dict[str, Any]]:
    if arn is None:
        return []
    pages = clients.machines.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]
