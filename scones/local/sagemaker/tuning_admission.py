"""What CreateHyperParameterTuningJob refuses at the door, and what it makes of the rest."""

from datetime import datetime
from typing import Any

from scones.local.sagemaker import ranges
from scones.local.sagemaker.admission import check_isolation, check_training, invalid, not_carried
from scones.local.sagemaker.job import measured
from scones.local.sagemaker.tuning_job import OBJECTIVE_HYPERPARAMETER, RESOURCES, resource_config

NO_METRIC = (
    "A metric is required for this hyperparameter tuning job objective. Provide a metric in the "
    "metric definitions."
)
"""AWS's words: aws/sagemaker-python-sdk issue 3932."""


def described(
    name: str, config: dict[str, Any], definition: dict[str, Any], arn: str, now: datetime
) -> dict[str, Any]:
    """What is kept of a tuning job that was just asked for."""
    limits = config["ResourceLimits"]
    if config["Strategy"] == "Grid":
        count = len(ranges.grid(ranges.read(config["ParameterRanges"])))
        limits = {"MaxNumberOfTrainingJobs": count, **limits}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobArn": arn,
        "HyperParameterTuningJobConfig": {
            "TrainingJobEarlyStoppingType": "Off", **config, "ResourceLimits": limits,
        },
        "TrainingJobDefinition": {
            **definition,
            "AlgorithmSpecification": measured(definition["AlgorithmSpecification"]),
            "ResourceConfig": resource_config(definition),  # the SDK's `attach` reads it here
            "StaticHyperParameters": {
                **definition.get("StaticHyperParameters", {}),
                OBJECTIVE_HYPERPARAMETER: config["HyperParameterTuningJobObjective"]["MetricName"],
            },
        },
        "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
    }  # fmt: skip


def check_config(config: dict[str, Any]) -> None:
    """Refuse a HyperParameterTuningJobConfig that would not be kept to."""
    if config["Strategy"] == "Hyperband":
        not_carried("Strategy Hyperband; use Bayesian, Random or Grid")
    if "StrategyConfig" in config:
        not_carried("StrategyConfig: it is for Hyperband")
    criteria = config.get("TuningJobCompletionCriteria", {})
    if criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled":
        not_carried("TuningJobCompletionCriteria.ConvergenceDetected; use the others")
    if "HyperParameterTuningJobObjective" not in config:
        raise invalid(NO_METRIC)
    found = ranges.read(config.get("ParameterRanges", {}))
    limits = config["ResourceLimits"]
    most = limits.get("MaxNumberOfTrainingJobs")
    if config["Strategy"] == "Grid":
        count = len(ranges.grid(found))
        if most not in (None, count):
            raise invalid(
                f"MaxNumberOfTrainingJobs is {most} and the grid has {count} combinations. Leave "
                "it out, or give the number of combinations."
            )
    elif most is None and "MaxRuntimeInSeconds" not in limits and not criteria:
        raise invalid(
            "ResourceLimits has neither MaxNumberOfTrainingJobs nor MaxRuntimeInSeconds, and no "
            "TuningJobCompletionCriteria are given: the tuning job would never end."
        )


def check_definition(definition: dict[str, Any], config: dict[str, Any]) -> None:
    """Refuse a TrainingJobDefinition that could not be trained, or judged."""
    if "VpcConfig" in definition:
        not_carried("TrainingJobDefinition.VpcConfig")
    for member in ("TuningObjective", "HyperParameterRanges"):
        if member in definition:
            raise invalid(
                f"{member} is for TrainingJobDefinitions; with one TrainingJobDefinition it "
                "belongs in HyperParameterTuningJobConfig."
            )
    if sum(member in definition for member in RESOURCES) != 1:
        raise invalid(f"TrainingJobDefinition has to have either {' or '.join(RESOURCES)}.")
    check_isolation(definition.get("EnableNetworkIsolation", False))
    check_training({**definition, "ResourceConfig": resource_config(definition)})
    _check_metric(definition["AlgorithmSpecification"], config)
    static = definition.get("StaticHyperParameters", {})
    both = sorted(
        each.name for each in ranges.read(config["ParameterRanges"]) if each.name in static
    )
    if both:
        raise invalid(f"Hyperparameters are both static and tunable: {', '.join(both)}")


def _check_metric(specification: dict[str, Any], config: dict[str, Any]) -> None:
    known = [each["Name"] for each in measured(specification).get("MetricDefinitions", [])]
    metric = config["HyperParameterTuningJobObjective"]["MetricName"]
    if metric not in known:
        given = f" Objective metric: {metric}. Defined: {', '.join(known) or 'none'}."
        raise invalid(NO_METRIC + given)
