"""Which trained model is deployed: the newest that is not set aside, or one that is named.

A model that `retrain` did not accept, or that `retrain --back` left, bears a tag on its training
job that says so. Whatever comes to serve loses the tag.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scones.clients import Clients
from scones.workflow.ours import is_ours
from scones.workflow.staged import Facts
from scones.workflow.train import CLASS_NAMES, Trained

SET_ASIDE = "scones:set-aside"
"""The tag; its value says why: letters, digits, spaces and `_.:/=+-@` (SageMaker API, Tag)."""
NOT_YET = "retrain has not accepted it"
WORSE = "retrain found it worse"
LEFT = "retrain --back left it"


@dataclass(frozen=True)
class Model:
    """A completed job of ours."""

    trained: Trained
    class_names: str | None
    """With commas between; None where the job does not say."""
    aside: str | None
    """Why it is set aside; None: it is not."""

    def sentence(self) -> str:
        """That it is passed over, why, and how to insist."""
        return f"{self.trained.job} is passed over: {self.aside} (--job serves it all the same)"


def pick(clients: Clients, facts: Facts, job: str | None = None) -> tuple[Trained, list[Model]]:
    """The job's model, or the newest that is not set aside, and the newer ones that are.

    Raises ValueError where there is none, or where it knows other classes than are staged.
    """
    if job is not None:
        model, passed = _named(clients, job), list[Model]()
    else:
        model, passed = _newest(clients)
    staged = ",".join(facts.classes)
    if model.class_names not in (None, staged):
        raise ValueError(
            f"staged are {staged}, and {model.trained.job} learnt {model.class_names}; run `scones "
            "train`, or stage the model's classes"
        )
    return model.trained, passed


def set_aside(clients: Clients, job: str, why: str) -> None:
    """Have `deploy` pass the job's model over."""
    tags = [{"Key": SET_ASIDE, "Value": why}]
    clients.sagemaker.add_tags(ResourceArn=_arn(clients, job), Tags=tags)


def take_up(clients: Clients, job: str) -> None:
    """The job's model is not set aside any more, if it was."""
    arn = _arn(clients, job)
    if SET_ASIDE in _tags(clients, arn):
        clients.sagemaker.delete_tags(ResourceArn=arn, TagKeys=[SET_ASIDE])


def leave(clients: Clients, job: str, other: str) -> None:
    """Set aside the job and what was begun between the other one and it.

    Nothing where the other one is newer: `pick` takes that anyway.
    """
    after, until = _begun(clients, other), _begun(clients, job)
    for model in _completed(clients):
        name = model.trained.job
        begun = _begun(clients, name)
        if begun <= after:
            return
        if begun <= until and model.aside is None:
            set_aside(clients, name, LEFT)


def _newest(clients: Clients) -> tuple[Model, list[Model]]:
    passed: list[Model] = []
    for model in _completed(clients):
        if model.aside is None:
            return model, passed
        passed.append(model)
    if not passed:
        raise ValueError("no training job of ours has completed yet; run `scones train` first")
    job = passed[0].trained.job
    raise ValueError(f"every trained model is set aside; name one, such as --job {job}")


def _named(clients: Clients, job: str) -> Model:
    try:
        answer = clients.sagemaker.describe_training_job(TrainingJobName=job)
    except clients.sagemaker.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
        if "not found" not in message and "Could not find" not in message:
            raise
        raise ValueError(f"job is {job!r}; there is no such training job") from None
    status = answer["TrainingJobStatus"]
    if status != "Completed":
        raise ValueError(f"job is {job!r}, which is {status}; it should be Completed")
    model = _model(clients, answer)
    if model is None:
        mark = "=".join(*clients.tags.items())
        raise ValueError(f"job is {job!r}, which is not ours: it lacks the tag {mark}")
    return model


def _completed(clients: Clients) -> Iterator[Model]:
    """Our completed jobs, the newest first."""
    pages = clients.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="scones-", StatusEquals="Completed", SortBy="CreationTime",
        SortOrder="Descending",
    )  # fmt: skip
    for page in pages:
        for each in page["TrainingJobSummaries"]:
            name = each["TrainingJobName"]
            model = _model(clients, clients.sagemaker.describe_training_job(TrainingJobName=name))
            if model is not None:
                yield model


def _model(clients: Clients, answer: dict[str, Any]) -> Model | None:
    """A described job's model; None where the job is somebody else's."""
    tags = _tags(clients, answer["TrainingJobArn"])
    if not is_ours(clients, tags):
        return None
    trained = Trained(answer["TrainingJobName"], answer["ModelArtifacts"]["S3ModelArtifacts"], ())
    return Model(trained, answer.get("Environment", {}).get(CLASS_NAMES), tags.get(SET_ASIDE))


def _begun(clients: Clients, job: str) -> tuple[datetime, str]:
    """When the job was, and its name, which tells apart what was begun in one moment."""
    answer = clients.sagemaker.describe_training_job(TrainingJobName=job)
    return answer["CreationTime"], job


def _tags(clients: Clients, arn: str) -> dict[str, str]:
    listed = clients.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def _arn(clients: Clients, job: str) -> str:
    arn: str = clients.sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobArn"]
    return arn
