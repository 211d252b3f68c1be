"""Train: one SageMaker training job on what is staged, followed until it is over."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scones.clients import Clients
from scones.settings import Settings
from scones.workflow import algorithm
from scones.workflow.progress import Step, Steps, silent
from scones.workflow.staged import TEST, TRAIN, Facts, Staged

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
TIME_LIMIT_S = 6 * 3600
POLL_S = 0.5
"""Oftener is not seen, and takes from the job what it computes with on a laptop."""
CLASS_NAMES = "SCONES_CLASS_NAMES"
"""The variable that tells the job its classes, with commas between."""
VARIABLE = 512
"""Characters of an Environment's value: SageMaker API reference, CreateTrainingJob."""
EPOCHS = re.compile(r"Final configuration.*?[\"']epochs[\"']: [\"']?(\d+)")
EPOCH = re.compile(r"Epoch\[(\d+)\].*?Validation-accuracy=([\d.]+)")


class JobError(RuntimeError):
    """The training job ended without a model."""


@dataclass(frozen=True)
class Trained:
    """A job that left a model."""

    job: str
    model_uri: str
    log: tuple[str, ...]


TRAIN_LIST, TEST_LIST = f"{TRAIN}.lst", f"{TEST}.lst"


def train(
    clients: Clients,
    staged: Staged,
    steps: Steps = silent,
    train_list: str = TRAIN_LIST,
    tags: Mapping[str, str] | None = None,
) -> Trained:
    """Start a job and wait for it; raises JobError with SageMaker's reason, and ValueError where
    more pictures are to be held out than can be.

    `train_list` is the key of the list of pictures under `train/` that are learnt from, `tags` what
    the job bears beside our own.
    """
    check_certify(clients.settings, sum(staged.facts.train.values()))
    job = f"scones-{stamp(clients.clock())}"
    with steps("train") as step:
        asked = request(clients, staged, job, train_list)
        asked["Tags"] += [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        answer, lines = follow(clients, asked, step)
        if answer["TrainingJobStatus"] != "Completed":
            reason = answer.get("FailureReason", answer["TrainingJobStatus"])
            raise JobError(f"training job {job} did not complete: {reason}")
    return Trained(job, answer["ModelArtifacts"]["S3ModelArtifacts"], tuple(lines))


def follow(clients: Clients, asked: dict[str, Any], step: Step) -> tuple[dict[str, Any], list[str]]:
    """Start a training job and `attend` it."""
    clients.sagemaker.create_training_job(**asked)
    return attend(clients, asked["TrainingJobName"], step)


def attend(clients: Clients, job: str, step: Step) -> tuple[dict[str, Any], list[str]]:
    """Wait for a training job's end, be it good or bad; its description and its log.

    Interrupted, it stops the job.
    """
    log = _Log(clients, job)
    try:
        return _wait(clients, job, log, step), log.lines
    except KeyboardInterrupt:
        with suppress(clients.sagemaker.exceptions.ClientError):  # it ended meanwhile
            clients.sagemaker.stop_training_job(TrainingJobName=job)
        raise


def check_certify(settings: Settings, num_pictures: int) -> None:
    """Refuse to hold out more than half of the pictures, before the job would."""
    if settings.certify is not None and settings.certify > num_pictures // 2:
        raise ValueError(
            f"certify is {settings.certify}; of {num_pictures} training pictures at most "
            f"{num_pictures // 2} can be held out"
        )


def request(
    clients: Clients,
    staged: Staged,
    job: str,
    train_list: str = TRAIN_LIST,
    validation: tuple[str, str] = (TEST, TEST_LIST),
) -> dict[str, Any]:
    """CreateTrainingJob's arguments: four channels, hyperparameters as texts.

    `validation` is the folder of the pictures that the log's accuracy is of, and their list.
    """
    settings, facts = clients.settings, staged.facts
    needed = algorithm.hyperparameters(len(facts.classes), sum(facts.train.values()))
    bucket = f"s3://{clients.bucket}"
    return {
        "TrainingJobName": job,
        "AlgorithmSpecification": {
            "TrainingImage": algorithm.image_uri(clients.region),
            "TrainingInputMode": "File",
        },
        "RoleArn": clients.role,
        "InputDataConfig": [
            _channel("train", f"{bucket}/{TRAIN}/"),
            _channel("validation", f"{bucket}/{validation[0]}/"),
            _channel("train_lst", f"{bucket}/{train_list}"),
            _channel("validation_lst", f"{bucket}/{validation[1]}"),
        ],
        "OutputDataConfig": {"S3OutputPath": f"{bucket}/models/image_model"},
        "ResourceConfig": {
            "InstanceType": settings.training_instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": TIME_LIMIT_S},
        "HyperParameters": {**needed, **settings.hyperparameters},
        # The built-in algorithm refuses hyperparameters that it does not know, but not variables.
        "Environment": _variables(settings, facts),
        "Tags": [{"Key": key, "Value": value} for key, value in clients.tags.items()],
    }


def _variables(settings: Settings, facts: Facts) -> dict[str, str]:
    """What our container reads beside hyperparameters; of what is optional only what is given."""
    told = {
        "class_names": ",".join(facts.classes),
        "dataset": facts.dataset,
        "seed": settings.seed,
        "profile": settings.profile,
        "certify": settings.certify,
        "risk": settings.risk,
        "certainty": settings.certainty,
        "folds": settings.folds,
        "damaged": _shortened(facts.damaged) if facts.damaged else None,
    }
    return {f"SCONES_{name.upper()}": str(each) for name, each in told.items() if each is not None}


def _shortened(names: Sequence[str]) -> str:
    """A JSON list of at most `VARIABLE` characters: of what does not go in, how many they are."""
    for kept in range(len(names), -1, -1):
        more = [f"and {len(names) - kept} more"] if kept < len(names) else []
        text = json.dumps([*names[:kept], *more])
        if len(text) <= VARIABLE:
            break
    return text


def stamp(now_s: float) -> str:
    """Seconds since the epoch as SageMaker's SDK writes it in names: 2026-11-20-10-04-02-123."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d-%H-%M-%S-%f")[:-3]


def log_lines(clients: Clients, job: str) -> list[str]:
    """Everything the job wrote; none where its log is gone."""
    log = _Log(clients, job)
    return list(log.news())


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {
        "ChannelName": name,
        "ContentType": "application/x-image",
        "DataSource": {"S3DataSource": source},
    }


def _wait(clients: Clients, job: str, log: "_Log", step: Step) -> dict[str, Any]:
    while True:
        answer: dict[str, Any] = clients.sagemaker.describe_training_job(TrainingJobName=job)
        over = answer["TrainingJobStatus"] in ("Completed", "Failed", "Stopped")
        if not log.lines:
            step.say(answer.get("SecondaryStatus", answer["TrainingJobStatus"]))
        for line in log.news():
            _tell(line, step)
        if over:
            return answer
        clients.sleep(max(clients.poll_s, POLL_S))


def _tell(line: str, step: Step) -> None:
    if epochs := EPOCHS.search(line):
        step.total(int(epochs[1]))
    if epoch := EPOCH.search(line):
        step.say(f"validation accuracy {float(epoch[2]):.3f}")
        step.advance()


class _Log:
    """A job's log stream, read on from where the last reading ended."""

    def __init__(self, clients: Clients, job: str) -> None:
        self._logs = clients.logs
        self._job = job
        self._stream: str | None = None
        self._token: str | None = None
        self.lines: list[str] = []

    def news(self) -> Iterator[str]:
        """The lines since last time; none while the stream does not exist yet."""
        try:
            self._stream = self._stream or self._find()
            while self._stream:
                paging = {"nextToken": self._token} if self._token else {}
                answer = self._logs.get_log_events(
                    logGroupName=LOG_GROUP, logStreamName=self._stream, startFromHead=True, **paging
                )
                self._token = answer["nextForwardToken"]
                for event in answer["events"]:
                    self.lines.append(event["message"])
                    yield event["message"]
                if not answer["events"]:
                    return
        except self._logs.exceptions.ResourceNotFoundException:
            return

    def _find(self) -> str | None:
        streams = self._logs.describe_log_streams(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._job}/"
        )["logStreams"]
        return streams[0]["logStreamName"] if streams else None
