"""Figures: how good a model is on labelled pictures, each with its interval or its null."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones.gate import intervals, score

CURVE_POINTS = 50
"""How many points of the risk-coverage curve are kept, evenly spread over coverage."""


def figures(
    probabilities_NK: NDArray[np.float64], labels_N: NDArray[np.int64], class_names: Sequence[str]
) -> dict[str, Any]:
    """Accuracy with its exact 95 % interval, recalls, confusion, scores, risk by coverage.

    As plain JSON values; `{"n": 0}` where there are no pictures.
    """
    n = len(labels_N)
    if n == 0:
        return {"n": 0}
    calls_N, confidence_N = probabilities_NK.argmax(1), probabilities_NK.max(1)
    right_N = calls_N == labels_N
    reliability = score.reliability(confidence_N, right_N)
    return {
        "n": n,
        "accuracy": _share(int(right_N.sum()), n),
        "recall": {
            name: _share(int(right_N[labels_N == label].sum()), int((labels_N == label).sum()))
            for label, name in enumerate(class_names)
        },
        "confusion": _confusion(labels_N, calls_N, len(class_names)),
        "log_loss": score.log_loss(probabilities_NK, labels_N),
        "brier": score.brier(probabilities_NK, labels_N),
        "ece": reliability.ece,
        "ece_null": reliability.ece_null,
        "risk_coverage": _curve(score.risk_coverage(confidence_N, ~right_N)),
    }


def _share(k: int, n: int) -> dict[str, float | None]:
    low, high = intervals.clopper_pearson(k, n)
    return {"value": k / n if n else None, "low": low, "high": high, "n": n}


def _confusion(labels_N: NDArray[np.int64], calls_N: NDArray[np.int64], k: int) -> list[list[int]]:
    """Rows are true classes, columns what the model called them."""
    counts = np.bincount(labels_N * k + calls_N, minlength=k * k).reshape(k, k)
    rows: list[list[int]] = counts.tolist()
    return rows


def _curve(curve: score.RiskCoverage) -> list[dict[str, float]]:
    count = len(curve.coverage_M)
    chosen = np.unique(np.linspace(0, count - 1, min(count, CURVE_POINTS)).round().astype(int))
    return [
        {
            "threshold": float(curve.threshold_M[i]),
            "coverage": float(curve.coverage_M[i]),
            "risk": float(curve.risk_M[i]),
        }
        for i in chosen
    ]
