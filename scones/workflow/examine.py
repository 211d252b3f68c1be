"""Examine: two models are asked the same test pictures, as two variants of an endpoint."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from scones.clients import Clients
from scones.gate.exact import mcnemar
from scones.gate.intervals import clopper_pearson
from scones.images.manifest import Entry
from scones.workflow import algorithm
from scones.workflow.deploy import Deployment, endpoint_config, wait_in_service
from scones.workflow.progress import Step
from scones.workflow.train import Trained, stamp

OLD, NEW = "old", "new"


@dataclass(frozen=True)
class Compared:
    """Two models on the same test pictures."""

    n: int
    both: int
    """Pictures that both call rightly."""
    only_old: int
    only_new: int

    @property
    def p(self) -> float:
        """McNemar's exact two-sided p that they err alike."""
        return mcnemar(self.only_old, self.only_new)

    @property
    def worse(self) -> bool:
        """Whether the new model is right less often."""
        return self.only_new < self.only_old

    def sentence(self) -> str:
        return (
            f"On the same {self.n} test pictures the old model is right on "
            f"{self._share(self.both + self.only_old)}, the new one on "
            f"{self._share(self.both + self.only_new)}; {self.only_new} only the new one, "
            f"{self.only_old} only the old one (McNemar's exact p = {self.p:.2g})."
        )

    def _share(self, right: int) -> str:
        low, high = clopper_pearson(right, self.n)
        return f"{right} ({100 * right / self.n:.1f} %; 95 %: {100 * low:.1f} to {100 * high:.1f})"


def compare(
    clients: Clients, old: Deployment, trained: Trained, held_out: Sequence[Entry], step: Step
) -> Compared:
    """Both models as two variants of an endpoint that captures nothing and is gone afterwards."""
    name = f"trial-{stamp(clients.clock())}"
    trial = replace(clients, settings=replace(clients.settings, endpoint=name))
    sagemaker, tags = (
        clients.sagemaker,
        [{"Key": key, "Value": value} for key, value in clients.tags.items()],
    )
    configured = sagemaker.describe_endpoint_config(EndpointConfigName=old.endpoint_config)
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=clients.role,
        PrimaryContainer={
            "Image": algorithm.image_uri(clients.region), "ModelDataUrl": trained.model_uri,
        },
        Tags=tags,
    )  # fmt: skip
    try:
        models = {OLD: configured["ProductionVariants"][0]["ModelName"], NEW: name}
        variant = endpoint_config(clients, name)["ProductionVariants"][0]
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {**variant, "VariantName": each, "ModelName": model}
                for each, model in models.items()
            ],
            Tags=tags,
        )
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)
        wait_in_service(trial, name, step)
        return _examine(trial, held_out, step)
    finally:
        _remove(trial)


def _examine(trial: Clients, held_out: Sequence[Entry], step: Step) -> Compared:
    runtime, name = trial.other("sagemaker-runtime"), trial.settings.endpoint
    step.total(len(held_out))

    def right(entry: Entry) -> tuple[bool, bool]:
        picture = trial.s3.get_object(Bucket=trial.bucket, Key=entry.key)["Body"].read()
        calls = []
        for variant in (OLD, NEW):
            answer = runtime.invoke_endpoint(
                EndpointName=name, ContentType="image/png", Body=picture, TargetVariant=variant
            )
            probabilities = json.load(answer["Body"])
            calls.append(probabilities.index(max(probabilities)) == entry.label)
        step.advance()
        return calls[0], calls[1]

    with ThreadPoolExecutor(trial.settings.parallel) as pool:
        pairs = list(pool.map(right, held_out))
    return Compared(
        len(pairs),
        pairs.count((True, True)),
        pairs.count((True, False)),
        pairs.count((False, True)),
    )


def _remove(trial: Clients) -> None:
    """Endpoint, configuration and model of the trial, as far as they were made."""
    sagemaker, name = trial.sagemaker, trial.settings.endpoint
    for delete, argument in (
        (sagemaker.delete_endpoint, "EndpointName"),
        (sagemaker.delete_endpoint_config, "EndpointConfigName"),
        (sagemaker.delete_model, "ModelName"),
    ):
        try:
            delete(**{argument: name})
        except sagemaker.exceptions.ClientError as error:
            if "Could not find" not in error.response["Error"]["Message"]:
                raise
