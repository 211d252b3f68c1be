"""Run: stage, train, deploy, classify and report, one after the other."""

import time
from collections.abc import Callable

from scones.clients import Clients
from scones.images.images import Dataset
from scones.monitor.report import Report
from scones.workflow.classify import classify
from scones.workflow.deploy import check_names, deploy
from scones.workflow.progress import Steps, silent
from scones.workflow.report import report
from scones.workflow.stage import stage
from scones.workflow.train import train


def run(
    clients: Clients,
    dataset: Dataset,
    steps: Steps = silent,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> Report:
    """The whole journey; answers the report's figures, `seconds` of each step among them."""
    clients.settings.bays_of(dataset.class_names)  # refused before anything is made
    check_names(clients)
    seconds: dict[str, float] = {}
    mark = stopwatch()

    def lap(name: str) -> None:
        nonlocal mark
        now = stopwatch()
        seconds[name], mark = now - mark, now

    staged = stage(clients, dataset, steps)
    lap("stage")
    trained = train(clients, staged, steps)
    lap("train")
    deploy(clients, trained, staged.facts, steps)
    lap("deploy")
    classify(clients, staged, steps)
    lap("classify")
    return report(clients, steps, seconds, stopwatch)
