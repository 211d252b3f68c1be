"""Tuning by SageMaker: one hyperparameter tuning job, on AWS or in the local cloud, followed.

It is judged by one split of the training pictures, the first fold: a tuning job trains once a
trial. One that is under way for the same question is found by its name and followed.
"""

from typing import Any

from scones.clients import Clients
from scones.workflow.folds import Fold, put_folds
from scones.workflow.progress import Step, Steps, silent
from scones.workflow.search import parameter_ranges
from scones.workflow.staged import Staged
from scones.workflow.train import POLL_S, JobError, stamp
from scones.workflow.tune import (
    COMPLETE,
    FAILED,
    PRUNED,
    SAGEMAKER,
    Trial,
    Tuned,
    Tuning,
    fold_request,
)

STATES = {"Completed": COMPLETE, "Stopped": PRUNED}
OVER = ("Completed", "Failed", "Stopped")


def tune(clients: Clients, staged: Staged, tuning: Tuning, steps: Steps = silent) -> Tuned:
    """Start a tuning job, or find the one under way, and follow it to its end.

    Interrupted, it stops the job. Raises JobError with SageMaker's reason.
    """
    fold = put_folds(clients, staged, tuning.folds)[0]
    prefix = f"tune-{tuning.identity(clients, staged)}-"
    with steps("tune") as step:
        name = _under_way(clients, prefix)
        if name is None:
            name = prefix + stamp(clients.clock()).replace("-", "")[2:14]
            clients.sagemaker.create_hyper_parameter_tuning_job(
                **tuning_request(clients, staged, tuning, fold, name)
            )
        try:
            answer = _wait(clients, name, tuning, step)
        except KeyboardInterrupt:
            clients.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            raise
        trials = tuple(_trials(clients, name))
        if answer["HyperParameterTuningJobStatus"] != "Completed":
            reason = answer.get("FailureReason", answer["HyperParameterTuningJobStatus"])
            raise JobError(f"tuning job {name} did not complete: {reason}")
    return Tuned(tuning, trials, SAGEMAKER, name, fold.num_judged)


def tuning_request(
    clients: Clients, staged: Staged, tuning: Tuning, fold: Fold, name: str
) -> dict[str, Any]:
    """CreateHyperParameterTuningJob's arguments."""
    definition = fold_request(clients, staged, name, fold, {})
    del definition["TrainingJobName"]
    static = definition.pop("HyperParameters")
    tags = definition.pop("Tags")
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": tuning.strategy.capitalize(),
            "HyperParameterTuningJobObjective": {
                "Type": "Maximize" if tuning.maximizes else "Minimize",
                "MetricName": tuning.metric,
            },
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": tuning.trials,
                "MaxParallelTrainingJobs": min(tuning.jobs, tuning.trials),
            },
            "ParameterRanges": parameter_ranges(tuning.space),
            "TrainingJobEarlyStoppingType": "Auto",
            "RandomSeed": clients.settings.seed,
        },
        "TrainingJobDefinition": {**definition, "StaticHyperParameters": static},
        "Tags": tags,
    }


def _under_way(clients: Clients, prefix: str) -> str | None:
    found = clients.sagemaker.list_hyper_parameter_tuning_jobs(
        NameContains=prefix, StatusEquals="InProgress"
    )["HyperParameterTuningJobSummaries"]
    return str(found[0]["HyperParameterTuningJobName"]) if found else None


def _wait(clients: Clients, name: str, tuning: Tuning, step: Step) -> dict[str, Any]:
    step.total(tuning.trials)
    seen = 0
    while True:
        answer: dict[str, Any] = clients.sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
        counts = answer["ObjectiveStatusCounters"]
        over = counts["Succeeded"] + counts["Failed"]
        step.say(f"{counts['Pending']} under way{_so_far(answer)}")
        step.advance(over - seen)
        seen = over
        if answer["HyperParameterTuningJobStatus"] in OVER:
            return answer
        clients.sleep(max(clients.poll_s, POLL_S))


def _so_far(answer: dict[str, Any]) -> str:
    best = answer.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    return f", best {best['Value']:.4f}" if best else ""


def _trials(clients: Clients, name: str) -> list[Trial]:
    pages = clients.sagemaker.get_paginator(
        "list_training_jobs_for_hyper_parameter_tuning_job"
    ).paginate(HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending")
    listed = [each for page in pages for each in page["TrainingJobSummaries"]]
    return [_trial(number, each) for number, each in enumerate(listed, start=1)]


def _trial(number: int, listed: dict[str, Any]) -> Trial:
    metric = listed.get("FinalHyperParameterTuningJobObjectiveMetric")
    return Trial(
        number,
        listed["TunedHyperParameters"],
        STATES.get(listed["TrainingJobStatus"], FAILED) if metric else FAILED,
        float(metric["Value"]) if metric else None,
        reason=listed.get("FailureReason"),
    )
