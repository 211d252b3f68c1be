"""Tune: what is searched and how it is judged, by whomever the trials are chosen.

Two ways choose: Optuna, in `study`, by cross-validation; and SageMaker's tuning jobs, in
`tuning_job`, by one split. Both train by training jobs and judge by training pictures only.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scones.clients import Clients
from scones.gate.intervals import clopper_pearson
from scones.monitor.tuning_chart import Tried, tuning_chart
from scones.settings import Settings
from scones.workflow.folds import PLACE, Fold
from scones.workflow.report import write
from scones.workflow.search import Space
from scones.workflow.staged import TRAIN, Staged
from scones.workflow.train import request

OPTUNA, SAGEMAKER = "optuna", "sagemaker"
STRATEGIES = ("bayesian", "random")
METRICS = {"accuracy": "validation:accuracy", "log_loss": "validation:log_loss"}
"""What a training job calls that by which it may be judged."""
DEFINITIONS = [{"Name": METRICS["log_loss"], "Regex": "Validation-log_loss=([0-9.]+)"}]
"""Of the metrics that the built-in algorithm has not; only our own container prints them."""
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
OURS = ("certify", "folds", "risk", "certainty")
"""What a tried job is not told: nothing is promised of it."""


@dataclass(frozen=True)
class Tuning:
    """What was asked."""

    space: Space
    trials: int = 20
    folds: int = 5
    objective: str = "accuracy"
    strategy: str = "bayesian"
    jobs: int = 2
    """Training jobs at a time, of a SageMaker tuning job."""

    def __post_init__(self) -> None:
        _require(1 <= self.trials <= 500, "trials", self.trials, "1 to 500")
        _require(2 <= self.folds <= 20, "folds", self.folds, "2 to 20")
        _require(1 <= self.jobs <= 10, "jobs", self.jobs, "1 to 10")
        _require(self.objective in METRICS, "objective", self.objective, " or ".join(METRICS))
        _require(self.strategy in STRATEGIES, "strategy", self.strategy, " or ".join(STRATEGIES))

    @property
    def maximizes(self) -> bool:
        return self.objective == "accuracy"

    @property
    def metric(self) -> str:
        return METRICS[self.objective]

    def check(self, settings: Settings) -> None:
        """ValueError where the settings say otherwise."""
        both = sorted({each.name for each in self.space} & settings.hyperparameters.keys())
        if both:
            raise ValueError(f"{', '.join(both)} is searched and given as hyperparameter; do one")
        if self.objective == "log_loss" and not settings.local:
            raise ValueError(
                "objective is 'log_loss'; on AWS it should be accuracy, which is all that the "
                "built-in algorithm prints"
            )

    def identity(self, clients: Clients, staged: Staged) -> str:
        """The same for the same question: so a search that was broken off is found again."""
        settings = clients.settings
        told = {
            "place": [clients.account, clients.region, clients.bucket],
            "pictures": staged.facts.sha256,
            "question": {k: v for k, v in asdict(self).items() if k not in ("trials", "jobs")},
            "settings": [
                settings.profile,
                settings.certify,
                settings.seed,
                dict(settings.hyperparameters),
            ],
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Trial:
    """One choice of hyperparameters, judged."""

    number: int
    """From 1."""
    values: Mapping[str, str]
    state: str
    """complete, pruned (broken off, since it lagged) or failed."""
    value: float | None
    """The objective; of a pruned trial as far as it came."""
    folds: tuple[float, ...] = ()
    """Of each fold that was trained."""
    reason: str | None = None
    """Why it failed."""


@dataclass(frozen=True)
class Tuned:
    """A search that is over."""

    tuning: Tuning
    trials: tuple[Trial, ...]
    by: str
    name: str
    """Of the study, or of SageMaker's tuning job."""
    num_judged: int
    """Pictures by which a complete trial is judged."""
    importance: Mapping[str, float] = field(default_factory=dict)
    """Share of a hyperparameter in what the trials differ by, where that is known."""

    @property
    def best(self) -> Trial | None:
        """The best complete trial, the earliest of equals."""
        complete = [each for each in self.trials if each.state == COMPLETE]
        return max(complete, key=lambda each: self.worth(each.value), default=None)

    def worth(self, value: float | None) -> float:
        """The objective as something to be made large."""
        if value is None or math.isnan(value):
            return -math.inf
        return value if self.tuning.maximizes else -value

    def sentence(self) -> str:
        """Counts, and the best figure with what it is worth."""
        states = [each.state for each in self.trials]
        counts = ", ".join(
            f"{states.count(s)} {s}" for s in (COMPLETE, PRUNED, FAILED) if s in states
        )
        best = self.best
        if best is None or best.value is None:
            return f"{len(states)} trials ({counts}): none was complete, so there is no best."
        how = "out of fold" if self.by == OPTUNA else "on one split"
        figure = f"{self.tuning.objective.replace('_', ' ')} {best.value:.4f} {how}"
        if self.tuning.objective == "accuracy":
            right = round(best.value * self.num_judged)
            low, high = clopper_pearson(right, self.num_judged)
            figure += f" (95 %: {low:.3f} to {high:.3f}, n = {self.num_judged})"
        return (
            f"{len(states)} trials ({counts}): the best, number {best.number}, has {figure}. "
            "Being the best of many it looks better than it is; `scones train` measures anew."
        )

    def command(self, settings: Settings) -> str:
        """The line that trains with the best values; "" where there is none.

        It holds out the pictures that the search left out.
        """
        if self.best is None:
            return ""
        values = {**settings.hyperparameters, **self.best.values}
        told = {
            "profile": settings.profile,
            "certify": settings.certify,
            "seed": settings.seed or None,
        }
        options = "".join(f" --{name} {each}" for name, each in told.items() if each is not None)
        words = "".join(f" --hyperparameter {name}={text}" for name, text in values.items())
        return f"scones train{options}{words}"


def fold_request(
    clients: Clients, staged: Staged, job: str, fold: Fold, values: Mapping[str, str]
) -> dict[str, Any]:
    """CreateTrainingJob's arguments for one fold: fitted and judged on training pictures."""
    settings = clients.settings
    kept = {name: text for name, text in settings.hyperparameters.items() if name not in OURS}
    plain = replace(
        settings, hyperparameters=kept, certify=0, risk=None, certainty=None, folds=None
    )
    asked = request(
        replace(clients, settings=plain), staged, job, fold.train_list, (TRAIN, fold.judged_list)
    )
    asked["HyperParameters"] |= {"num_training_samples": str(fold.num_train), **values}
    asked["OutputDataConfig"] = {"S3OutputPath": f"s3://{clients.bucket}/{PLACE}/models"}
    if settings.local:  # AWS refuses definitions for a built-in algorithm, which has its own
        asked["AlgorithmSpecification"]["MetricDefinitions"] = [
            {"Name": METRICS["accuracy"], "Regex": "Validation-accuracy=([0-9.]+)"}, *DEFINITIONS,
        ]  # fmt: skip
    return asked


def write_files(tuned: Tuned, settings: Settings) -> None:
    """tune.json, tune.png and tune.svg in the report's folder."""
    chart = tuning_chart(
        [Tried(e.number, e.value, e.state == COMPLETE, e.values) for e in tuned.trials],
        tuned.tuning.objective.replace("_", " "),
        maximizes=tuned.tuning.maximizes,
        logarithmic=[each.name for each in tuned.tuning.space if getattr(each, "logarithmic", 0)],
        importance=tuned.importance,
    )
    told = json.dumps(as_json(tuned, settings), indent=2) + "\n"
    write(
        settings.report_dir,
        [("tune.json", told.encode()), ("tune.png", chart.png), ("tune.svg", chart.svg.encode())],
    )


def as_json(tuned: Tuned, settings: Settings) -> dict[str, Any]:
    """Everything about a search, as plain values."""
    return {
        "by": tuned.by,
        "name": tuned.name,
        "objective": tuned.tuning.objective,
        "n": tuned.num_judged,
        "space": [asdict(each) for each in tuned.tuning.space],
        "best": asdict(tuned.best) if tuned.best else None,
        "command": tuned.command(settings),
        "importance": dict(tuned.importance),
        "trials": [asdict(each) for each in tuned.trials],
    }


def mean(values: Sequence[float], folds: Sequence[Fold]) -> float:
    """Over the pictures of the folds that were judged."""
    counts = [fold.num_judged for fold in folds[: len(values)]]
    weighed = sum(value * count for value, count in zip(values, counts, strict=True))
    return weighed / sum(counts)


def _require(right: object, setting: str, got: object, would_be_right: str) -> None:
    if not right:
        raise ValueError(f"{setting} is {got!r}; it should be {would_be_right}")
