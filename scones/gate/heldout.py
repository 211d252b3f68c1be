"""What one held-out share of labelled pictures says of a model: calibration, certificate, baseline.

Calibrating and certifying both need labels that no fit has seen, and labels are few. Who sees what:

- **Two classes, temperature.** All pictures do both. A temperature changes neither a call nor the
  order of confidences, so the certificate is learnt on a fixed grid of the model's *own*
  confidences, which no label has touched, and only the threshold is then told on the calibrated
  scale.
- **Two classes, a bias.** All pictures do both here as well: the bias is set such that the expected
  calls of a class are as many as it has pictures. That looks at the model's answers and at how many
  pictures each class has, which stratifying settles beforehand, but not at which picture is whose;
  for a slope of 1 it is the maximum of the likelihood, whose derivative by the bias knows no more.
  The certificate is learnt on these balanced confidences, and the slope comes last, by the labels.
  That the labels' sum is known makes them a little dependent. It hurts only where the model has
  no doubts left, so that calls come out exactly as many; `calibration.DOUBT` keeps off that.
- **More than two classes.** Calibrating changes calls and order, so every fourth picture of each
  class calibrates and the others certify.

Where a fit would rest on too little (`calibration.deployable`), nothing is fitted: the model keeps
its own confidences, and pictures too few to calibrate certify as well. How many they are, the
counts of the classes settle. Temperatures of 0.05 had been set on 2 pictures.

With two classes the labels also choose between the two ways, by the likelihood-ratio test, so the
chance of a broken promise is divided over both ways (union bound). How, is settled without labels:
the way that the score test foresees gets nearly all. Of 20 held-out shares of 200 real pictures,
each of a model of its own, 8 had a bias; splitting those as with more classes certified 2 of them.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scones.gate.calibration import (
    FEWEST,
    Calibration,
    balance,
    deployable,
    fit,
    fit_temperature,
    identity,
)
from scones.gate.certificate import Certificate, certify

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

FORESEEN_SPENDS = 0.9
"""Part of delta for the way that is foreseen, temperature or bias; the other gets the rest."""
LEVEL = 0.05
"""Of the tests that ask for a bias."""
CALIBRATES = 4
"""Where the share is split, every fourth picture of a class calibrates."""


@dataclass(frozen=True)
class HeldOut:
    """Labelled pictures that no training and no choice has seen, as the model sees them."""

    class_names: tuple[str, ...]
    logits_NK: Floats
    """The model's own, before any calibration."""
    labels_N: Labels
    sha256_N: tuple[str, ...]
    """Of each picture's bytes, in hex."""

    def take(self, chosen: NDArray[np.bool_]) -> Self:
        """The chosen ones."""
        kept = tuple(sha for sha, keep in zip(self.sha256_N, chosen, strict=True) if keep)
        return replace(
            self, logits_NK=self.logits_NK[chosen], labels_N=self.labels_N[chosen], sha256_N=kept
        )


@dataclass(frozen=True)
class Baseline:
    """Calibrated answers of a frozen model for labelled pictures: what the monitor measures by."""

    class_names: tuple[str, ...]
    probabilities_NK: Floats
    labels_N: Labels

    def to_json(self) -> dict[str, Any]:
        return {
            "class_names": list(self.class_names),
            "probabilities": self.probabilities_NK.tolist(),
            "labels": self.labels_N.tolist(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        names = tuple(value["class_names"])
        probabilities = np.array(value["probabilities"], np.float64).reshape(-1, len(names))
        return cls(names, probabilities, np.array(value["labels"], np.int64))


@dataclass(frozen=True)
class Gate:
    """A model's calibration and the promises its gate keeps; part of the model card."""

    calibration: Calibration
    overall: Certificate
    per_class: tuple[Certificate, ...]
    """One a class, of the calls of that class; together they hold with the certainty."""
    baseline: Baseline
    """The certifying pictures' answers."""

    def threshold(self, otherwise: float) -> float:
        """The certified threshold; `otherwise` where nothing could be certified."""
        return otherwise if self.overall.threshold is None else self.overall.threshold

    def to_json(self) -> dict[str, Any]:
        return {
            "calibration": self.calibration.to_json(),
            "certificate": self.overall.to_json(),
            "certificates_per_class": [each.to_json() for each in self.per_class],
            "baseline": self.baseline.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(
            Calibration.from_json(value["calibration"]),
            Certificate.from_json(value["certificate"]),
            tuple(Certificate.from_json(each) for each in value["certificates_per_class"]),
            Baseline.from_json(value["baseline"]),
        )


def weigh(held_out: HeldOut, *, risk: float = 0.05, certainty: float = 0.95) -> Gate:
    """Calibrate and certify on one held-out share; see the module for who sees which label.

    An empty share gives the identity and a certificate that says how many labels it takes.
    """
    if len(held_out.class_names) > 2:
        return _by_parts(held_out, risk, certainty)
    asked = deployable(fit(held_out.logits_NK, held_out.labels_N, LEVEL))
    if len(held_out.labels_N) == 0:
        return _by_order(held_out, asked, asked, risk, certainty, FORESEEN_SPENDS)
    balanced, p = balance(held_out.logits_NK, np.bincount(held_out.labels_N, minlength=2))
    as_foreseen = asked.biased == (p < LEVEL)
    spent = FORESEEN_SPENDS if as_foreseen else 1 - FORESEEN_SPENDS
    ordered = balanced if asked.biased else identity(2)
    calibration = _sloped(held_out, ordered, asked.bias_p)
    return _by_order(held_out, ordered, calibration, risk, certainty, spent)


def pictures_sha256(each: Iterable[str]) -> str:
    """One hash for a set of pictures, whatever their order: of their sorted hashes, a line each."""
    return hashlib.sha256("\n".join(sorted(each)).encode()).hexdigest()


def calibrates(labels_N: Labels) -> NDArray[np.bool_]:
    """Which pictures calibrate where the share is split: of each class the 4th, 8th, ..."""
    chosen = np.zeros(len(labels_N), bool)
    for label in np.unique(labels_N):
        chosen[np.flatnonzero(labels_N == label)[CALIBRATES - 1 :: CALIBRATES]] = True
    return chosen


def _by_order(
    held_out: HeldOut,
    ordered: Calibration,
    calibration: Calibration,
    risk: float,
    certainty: float,
    spent: float,
) -> Gate:
    """Certify on confidences of `ordered`, whose order is the calibrated one's."""
    overall, per_class = _certify(held_out, ordered, risk, certainty, spent)
    return Gate(
        calibration,
        _retold(overall, ordered, calibration),
        tuple(_retold(each, ordered, calibration) for each in per_class),
        _baseline(held_out, calibration),
    )


def _by_parts(held_out: HeldOut, risk: float, certainty: float) -> Gate:
    seen = calibrates(held_out.labels_N)
    part = held_out.take(seen)
    calibration = deployable(fit(part.logits_NK, part.labels_N, LEVEL))
    rest = held_out.take(~seen) if seen.sum() >= FEWEST else held_out
    overall, per_class = _certify(rest, calibration, risk, certainty, 1.0)
    split = rest is not held_out
    return Gate(
        calibration,
        _of_whole_share(overall, split),
        tuple(_of_whole_share(each, split) for each in per_class),
        _baseline(rest, calibration),
    )


def _of_whole_share(certificate: Certificate, split: bool) -> Certificate:
    """Its `more` told as held-out pictures, of which some will calibrate; `split`: some do now."""
    if certificate.more is None:
        return certificate
    certifying = certificate.n + certificate.more
    if not split and certifying < FEWEST * CALIBRATES:
        return certificate
    share = (CALIBRATES - 1) / CALIBRATES
    held_out = certificate.n / share if split else certificate.n
    return replace(certificate, more=math.ceil(certifying / share - held_out))


def _sloped(held_out: HeldOut, ordered: Calibration, bias_p: float | None) -> Calibration:
    """The calibration of the same order whose slope suits the labels best; its own if none does."""
    logits_NK = ordered.slope * held_out.logits_NK + np.array(ordered.biases_K)
    found = deployable(fit_temperature(logits_NK, held_out.labels_N))
    slope = found.slope if found.n else 1 / ordered.slope
    biases = tuple(slope * bias for bias in ordered.biases_K)
    return replace(found, slope=slope * ordered.slope, biases_K=biases, bias_p=bias_p)


def _certify(
    held_out: HeldOut, calibration: Calibration, risk: float, certainty: float, spent: float
) -> tuple[Certificate, tuple[Certificate, ...]]:
    """One certificate for all, and one for each class of calls at delta / classes."""
    probabilities = calibration(held_out.logits_NK)
    called, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong, num_classes = called != held_out.labels_N, len(held_out.class_names)

    def of(chosen: NDArray[np.bool_], scope: str, part: float) -> Certificate:
        return certify(
            confidence[chosen],
            wrong[chosen],
            risk=risk,
            certainty=certainty,
            spent=part,
            num_classes=num_classes,
            scope=scope,
            pictures_sha256=pictures_sha256(held_out.take(chosen).sha256_N),
        )

    everything = np.ones(len(called), bool)
    per_class = tuple(
        of(called == index, name, spent / num_classes)
        for index, name in enumerate(held_out.class_names)
    )
    return of(everything, "all", spent), per_class


def _retold(
    certificate: Certificate, ordered: Calibration, calibration: Calibration
) -> Certificate:
    """A two-class certificate on confidences of `ordered`, told on the calibrated scale."""
    if certificate.threshold is None:
        return certificate
    margin = np.log(certificate.threshold / (1 - certificate.threshold))
    steeper = calibration.slope / ordered.slope
    return replace(certificate, threshold=float(special.expit(steeper * margin)))


def _baseline(held_out: HeldOut, calibration: Calibration) -> Baseline:
    return Baseline(
        held_out.class_names, calibration(held_out.logits_NK), held_out.labels_N.astype(np.int64)
    )
