"""A window in the files that SageMaker Model Monitor writes, for whatever reads those.

statistics.json and constraint_violations.json of data quality, statistics.json of model quality;
shapes as in the developer guide's "Schema for Statistics", "Schema for Violations" and "Model
Quality Metrics" (2026-11). In place of a KLL sketch's compacted levels stands one level: evenly
taken values, at most as many as the service keeps.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scones.monitor.verdict import Findings
from scones.monitor.windows import Window

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

BUCKETS = 10
KLL_C, KLL_K = 0.64, 2048
"""The service's own parameters."""
FEWEST_FOR_SD = 200
"""Below, the service gives "NaN" as standard deviation."""


def data_quality(
    window: Window,
    measures: Mapping[str, Sequence[float]] | None = None,
    formats: Sequence[str] = (),
) -> dict[str, Any]:
    """statistics.json: a probability a class, the confidence, the call, and what pictures are."""
    numbers: dict[str, Floats] = {
        f"probability_{name}": window.probabilities_NK[:, k]
        for k, name in enumerate(window.class_names)
    }
    numbers["confidence"] = window.confidence
    numbers |= {name: np.asarray(values, np.float64) for name, values in (measures or {}).items()}
    calls = np.bincount(window.called, minlength=len(window.class_names)).tolist()
    features = [_number(name, values) for name, values in numbers.items()]
    features.append(_text("called", dict(zip(window.class_names, calls, strict=True))))
    if formats:
        features.append(_text("format", Counter(formats)))
    return {"version": 0.0, "dataset": {"item_count": len(window)}, "features": features}


def violations(findings: Findings) -> dict[str, Any]:
    """constraint_violations.json: a drift check for each feature of statistics.json that moved."""
    lives = {"confidence": findings.confidence, **findings.pictures}
    found = [
        {
            "feature_name": name,
            "constraint_check_type": "baseline_drift_check",
            "description": (
                f"{name} has drifted, shown at {life.alarm + 1:,} of {len(life.log10_capital_N):,} "
                f"(a false alarm comes in at most {100 * life.false_alarms:.2g} % of lives)"
            ),
        }
        for name, life in lives.items()
        if life.alarm is not None
    ]
    return {"violations": found}


def model_quality(window: Window, seed: int = 0) -> dict[str, Any]:
    """statistics.json of model quality, of the records whose truth is known.

    Standard deviations as the service takes them: of five random draws of 80 %; "NaN" below 200.
    """
    known = window.labelled
    answers = Answers(known.probabilities_NK, known.called, known.truth_N)
    binary = len(window.class_names) == 2
    rng = np.random.default_rng(seed)
    draws = (
        [answers.take(rng.random(len(known)) < 0.8) for _ in range(5)]
        if len(known) >= FEWEST_FOR_SD
        else []
    )
    metrics: dict[str, Any] = {"confusion_matrix": _confusion(answers.confusion())}
    for name, metric in (BINARY if binary else MULTICLASS).items():
        spread = float(np.std([metric(draw) for draw in draws], ddof=1)) if draws else np.nan
        metrics[name] = {"value": _plain(metric(answers)), "standard_deviation": _plain(spread)}
    kind = "binary_classification_metrics" if binary else "multiclass_classification_metrics"
    return {"version": 0.0, "dataset": {"item_count": len(known)}, kind: metrics}


@dataclass(frozen=True)
class Answers:
    """Answers whose truth is known."""

    probabilities_NK: Floats
    called_N: Labels
    truth_N: Labels

    def take(self, chosen: NDArray[np.bool_]) -> "Answers":
        return Answers(self.probabilities_NK[chosen], self.called_N[chosen], self.truth_N[chosen])

    def confusion(self) -> Labels:
        """[true class, called class]"""
        k = self.probabilities_NK.shape[1]
        counts: Labels = np.bincount(self.truth_N * k + self.called_N, minlength=k * k)
        return counts.reshape(k, k)

    def rate(self, true: int, called: int) -> float:
        """Share of the pictures of one class that were called another."""
        row = self.confusion()[true]
        return _ratio(row[called], row.sum())


def _recall(answers: Answers, k: int) -> float:
    return answers.rate(k, k)


def _precision(answers: Answers, k: int) -> float:
    column = answers.confusion()[:, k]
    return _ratio(column[k], column.sum())


def _f(answers: Answers, k: int, beta: float) -> float:
    precision, recall = _precision(answers, k), _recall(answers, k)
    return _ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)


def _accuracy(answers: Answers) -> float:
    confusion = answers.confusion()
    return _ratio(np.trace(confusion), confusion.sum())


def _auc(answers: Answers) -> float:
    """Of class 1, by ranks (Mann & Whitney), ties counting half."""
    positive = answers.truth_N == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    ranks = stats.rankdata(answers.probabilities_NK[:, 1])
    return _ratio(ranks[positive].sum() - n1 * (n1 + 1) / 2, n1 * n0)


def _weighted(metric: Callable[[Answers, int], float]) -> Callable[[Answers], float]:
    """The mean over classes, weighted by how many pictures each truly has."""

    def mean(answers: Answers) -> float:
        weights = answers.confusion().sum(axis=1)
        values = [metric(answers, k) if weights[k] else 0.0 for k in range(len(weights))]
        return _ratio(float(np.dot(weights, np.nan_to_num(values))), weights.sum())

    return mean


BINARY: dict[str, Callable[[Answers], float]] = {
    "recall": lambda answers: _recall(answers, 1),
    "precision": lambda answers: _precision(answers, 1),
    "accuracy": _accuracy,
    "true_positive_rate": lambda answers: answers.rate(1, 1),
    "true_negative_rate": lambda answers: answers.rate(0, 0),
    "false_positive_rate": lambda answers: answers.rate(0, 1),
    "false_negative_rate": lambda answers: answers.rate(1, 0),
    "auc": _auc,
    "f0_5": lambda answers: _f(answers, 1, 0.5),
    "f1": lambda answers: _f(answers, 1, 1.0),
    "f2": lambda answers: _f(answers, 1, 2.0),
}
"""Class 1 is the positive one, as the service has it."""

MULTICLASS: dict[str, Callable[[Answers], float]] = {
    "accuracy": _accuracy,
    "weighted_recall": _weighted(_recall),
    "weighted_precision": _weighted(_precision),
    "weighted_f0_5": _weighted(lambda answers, k: _f(answers, k, 0.5)),
    "weighted_f1": _weighted(lambda answers, k: _f(answers, k, 1.0)),
    "weighted_f2": _weighted(lambda answers, k: _f(answers, k, 2.0)),
}


def _number(name: str, values: Floats) -> dict[str, Any]:
    present = values[np.isfinite(values)]
    common = {"num_present": len(present), "num_missing": len(values) - len(present)}
    if len(present) == 0:
        statistics: dict[str, Any] = {"common": common}
        return {"name": name, "inferred_type": "Unknown", "numerical_statistics": statistics}
    low, high = float(present.min()), float(present.max())
    counts, edges = np.histogram(present, BUCKETS, (low, high if high > low else low + 1e-9))
    buckets = [
        {"lower_bound": float(a), "upper_bound": float(b), "count": float(count)}
        for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    step = -(-len(present) // KLL_K)
    sketch = {
        "parameters": {"c": KLL_C, "k": float(KLL_K)},
        "data": [np.sort(present)[::step].tolist()],
    }
    statistics = {
        "common": common,
        "mean": float(present.mean()),
        "sum": float(present.sum()),
        "std_dev": float(present.std()),
        "min": low,
        "max": high,
        "distribution": {"kll": {"buckets": buckets, "sketch": sketch}},
    }
    return {"name": name, "inferred_type": "Fractional", "numerical_statistics": statistics}


def _text(name: str, counts: Mapping[str, int]) -> dict[str, Any]:
    buckets = [{"value": value, "count": count} for value, count in counts.items() if count]
    statistics = {
        "common": {"num_present": sum(counts.values()), "num_missing": 0},
        "distinct_count": float(len(buckets)),
        "distribution": {"categorical": {"buckets": buckets}},
    }
    return {"name": name, "inferred_type": "String", "string_statistics": statistics}


def _confusion(counts_KK: Labels) -> dict[str, dict[str, int]]:
    """By true class, then by called class (the guide's example: recall 1, precision 1/3)."""
    return {
        str(true): {str(called): int(count) for called, count in enumerate(row)}
        for true, row in enumerate(counts_KK)
    }


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _plain(value: float) -> float | str:
    """A number that JSON can hold, or the service's own "NaN"."""
    return float(value) if np.isfinite(value) else "NaN"
