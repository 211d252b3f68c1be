"""Classify: many executions of the machine over test pictures, several at a time."""

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from random import Random
from typing import Any

from scones.clients import Clients
from scones.images.manifest import Entry
from scones.workflow.deploy import last_deployment, machine_arn, wait_in_service
from scones.workflow.progress import Steps, silent
from scones.workflow.staged import TEST, Staged
from scones.workflow.train import stamp

FIRST_WAIT_S = 0.02
"""How soon an execution is looked at again on a laptop; each wait after is longer by a half."""


@dataclass(frozen=True)
class Outcome:
    """One execution that is over."""

    name: str
    arn: str
    entry: Entry
    status: str
    """SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    error: str | None
    """The failed state's error name."""
    output: dict[str, Any] | None


def classify(clients: Clients, staged: Staged, steps: Steps = silent) -> list[Outcome]:
    """Run `invocations` executions over pictures chosen at random; answers them in start order."""
    settings = clients.settings
    entries = choose(
        staged.split(TEST), len(staged.facts.classes), settings.invocations, settings.seed
    )
    run, deployment = stamp(clients.clock()), last_deployment(clients)
    with steps("classify") as step, ThreadPoolExecutor(settings.parallel) as pool:
        step.total(len(entries))
        wait_in_service(clients, deployment.endpoint_config, step)
        step.say("executions")
        futures = [
            pool.submit(execute, clients, entry, f"{run}-{index:05d}")
            for index, entry in enumerate(entries)
        ]
        tally: Counter[str] = Counter()
        try:
            for done in as_completed(futures):
                tally[done.result().status] += 1
                step.say(", ".join(f"{n} {status.lower()}" for status, n in sorted(tally.items())))
                step.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def tally(outcomes: Sequence[Outcome]) -> str:
    """How they ended, in one line."""
    counts = Counter(each.error or each.status.lower() for each in outcomes)
    return f"{len(outcomes)} executions: " + ", ".join(f"{n} {e}" for e, n in counts.most_common())


def choose(entries: Sequence[Entry], num_classes: int, count: int, seed: int) -> list[Entry]:
    """`count` pictures in random order, as many of each class as of any other, give or take one.

    No picture comes twice before each of its class has come once. Raises ValueError when a class
    has no picture.
    """
    random = Random(seed)
    order = list(range(num_classes))
    random.shuffle(order)
    chosen: list[Entry] = []
    for place, label in enumerate(order):
        of_class = [entry for entry in entries if entry.label == label]
        if not of_class:
            raise ValueError(f"no test picture has label {label}; run `scones stage` again")
        wanted = count // num_classes + (place < count % num_classes)
        rounds = -(-wanted // len(of_class))
        drawn = [each for _ in range(rounds) for each in random.sample(of_class, len(of_class))]
        chosen += drawn[:wanted]
    random.shuffle(chosen)
    return chosen


def execute(clients: Clients, entry: Entry, name: str) -> Outcome:
    """One execution of that name over the picture at `entry.key`, waited for."""
    machines = clients.machines
    arn = machines.start_execution(
        stateMachineArn=machine_arn(clients),
        name=name,
        input=json.dumps({"s3_bucket": clients.bucket, "s3_key": entry.key}),
    )["executionArn"]
    wait_s = FIRST_WAIT_S if clients.settings.local else 1.0
    while True:
        clients.sleep(wait_s)
        wait_s = min(wait_s * 1.5, 5.0)
        answer = machines.describe_execution(executionArn=arn)
        if answer["status"] != "RUNNING":
            output = json.loads(answer["output"]) if "output" in answer else None
            return Outcome(name, arn, entry, answer["status"], answer.get("error"), output)
