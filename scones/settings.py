"""What a run is told: names, places, thresholds; read once, checked at once, never changed."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

TARGETS = ("local", "aws")
PROFILES = ("quick", "best")
UNCERTIFIED_THRESHOLD = 0.8
"""Where nobody says a threshold and none is certified: the course's own."""
_NAME = re.compile(r"[a-zA-Z0-9](-?[a-zA-Z0-9])*")
"""What SageMaker, the strictest of the services, takes as an endpoint's name."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")


@dataclass(frozen=True)
class Bay:
    """Where a driver is sent, and how far the orders that lie there go."""

    name: str
    order_radius_km: float


KNOWN_BAYS = {"bicycle": Bay("near-orders bay", 3.0), "motorcycle": Bay("far-orders bay", 15.0)}


@dataclass(frozen=True)
class Settings:
    """Everything a verb of the product needs to know beforehand."""

    target: str = "local"
    """"local": the cloud on this computer; "aws": the account of the usual AWS environment."""
    endpoint_url: str | None = None
    """Where the local cloud listens; None on AWS."""
    region: str | None = None
    """None: the AWS environment's own; us-east-1 on the laptop."""
    role: str | None = None
    """ARN that SageMaker, Lambda and Step Functions assume; None: the local cloud's own."""
    bucket: str | None = None
    """None: scones-<region>-<account>."""
    project: str = "scones"
    """Value of the tag by which `destroy` knows what is ours."""
    endpoint: str = "scones"
    machine: str = "scones"
    serialize_function: str = "serializeImageData"
    classify_function: str = "imageClassification"
    accept_function: str = "filterLowInferenceConfidence"
    capture_prefix: str = "data_capture"
    training_instance: str = "ml.p3.2xlarge"
    serving_instance: str = "ml.m5.xlarge"

    data: str = "auto"
    """auto, cifar100, sample, or the path of an archive or an unpacked folder."""
    classes: tuple[str, ...] = ("bicycle", "motorcycle")
    """In this order they are labels 0, 1, ..."""
    bays: Mapping[str, Bay] = field(default_factory=dict)
    """Bay by class; a class that is not named here gets one by its place (see `bays_of`)."""
    threshold: float | None = None
    """The least confidence that is acted upon, in (0, 1]; None: the model's certificate says, or
    else it is `UNCERTIFIED_THRESHOLD`."""
    profile: str | None = None
    """How much work training is: quick, or best; None: the job's own, quick."""
    certify: int | None = None
    """Training pictures held out to calibrate and certify; None: 200, or a fifth if less."""
    risk: float | None = None
    """Largest share of wrong ones among accepted pictures to be promised; None: 0.05."""
    certainty: float | None = None
    """Of that promise; None: 0.95."""
    folds: int | None = None
    """So many fits more beside the job's own, for out-of-fold figures; None or 0: none."""
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    """Only what the user gave; the rest is the algorithm's."""
    invocations: int = 200
    parallel: int = 8
    """Executions, uploads and downloads at a time."""
    seed: int = 0
    home: Path = Path(".scones")
    """The local cloud's folder."""
    report_dir: Path = Path("report")

    def __post_init__(self) -> None:
        _check_place(self)
        _check_run(self)

    @classmethod
    def read(cls, environment: Mapping[str, str], **options: Any) -> "Settings":
        """Options that are not None, else SCONES_<NAME> of `environment`, else the default.

        Values may be text, as a person typed them: "bicycle,motorcycle", "0.8",
        "bicycle=near-orders bay:3" for bays, "epochs=10" for hyperparameters (commas between).
        """
        given: dict[str, Any] = {}
        for each in fields(cls):
            value = options.pop(each.name, None)
            value = environment.get(f"SCONES_{each.name.upper()}") if value is None else value
            if value is not None:
                given[each.name] = _READERS.get(each.name, _as_is)(each.name, value)
        assert not options, f"no such settings: {sorted(options)}"
        return cls(**given)

    @property
    def local(self) -> bool:
        """Whether the cloud is the one on this computer."""
        return self.target == "local"

    def bays_of(self, classes: Sequence[str]) -> dict[str, Bay]:
        """Every class's bay: as set, as known, else the further the later the class stands.

        Raises ValueError for a bay of a class that is not among `classes`.
        """
        unknown = sorted(set(self.bays) - set(classes))
        _require(not unknown, "bays", ",".join(unknown), f"of classes among {', '.join(classes)}")
        further = {
            name: Bay(f"bay {place + 1}", 3.0 + 12.0 * place / max(1, len(classes) - 1))
            for place, name in enumerate(classes)
        }
        return {name: {**further, **KNOWN_BAYS, **self.bays}[name] for name in classes}


def _check_place(settings: Settings) -> None:
    _require(settings.target in TARGETS, "target", settings.target, f"one of {TARGETS}")
    _require(
        settings.target == "local" or settings.role is not None,
        "role", settings.role, "an IAM role's ARN (--role) for --target aws",
    )  # fmt: skip
    _require(
        settings.target == "local" or settings.endpoint_url is None,
        "endpoint_url", settings.endpoint_url, "absent for --target aws",
    )  # fmt: skip
    if settings.role is not None:
        role = "arn:aws:iam::<12 digits>:role/<name>"
        _require(_ROLE.fullmatch(settings.role), "role", settings.role, role)
    if settings.bucket is not None:
        name = "3 to 63 lower-case letters, digits and hyphens"
        _require(_BUCKET.fullmatch(settings.bucket), "bucket", settings.bucket, name)
    for each in ("endpoint", "machine", "project"):
        name = getattr(settings, each)
        rule = "up to 40 letters, digits and single hyphens"
        _require(_NAME.fullmatch(name) and len(name) <= 40, each, name, rule)


def _check_run(settings: Settings) -> None:
    classes = settings.classes
    _require(
        len(classes) >= 2 and len(set(classes)) == len(classes) and all(classes),
        "classes", ",".join(classes), "two or more different class names, with commas between",
    )  # fmt: skip
    if settings.threshold is not None:
        _require(0 < settings.threshold <= 1, "threshold", settings.threshold, "above 0, at most 1")
    _check_training(settings)
    _require(settings.invocations >= 1, "invocations", settings.invocations, "1 or more")
    _require(1 <= settings.parallel <= 64, "parallel", settings.parallel, "1 to 64")
    _require(0 <= settings.seed < 2**31, "seed", settings.seed, "0 to 2147483647")


def _check_training(settings: Settings) -> None:
    profile, certify = settings.profile, settings.certify
    _require(profile in (None, *PROFILES), "profile", profile, " or ".join(PROFILES))
    _require(certify is None or certify >= 0, "certify", certify, "0 or more")
    folds = settings.folds
    _require(folds in (None, 0) or 2 <= (folds or 0) <= 20, "folds", folds, "0, or from 2 to 20")
    for name in ("risk", "certainty"):
        value = getattr(settings, name)
        _require(
            value is None or 0 < value < 1, name, value, "between 0 and 1, such as 0.05 or 0.95"
        )
    for name in ("profile", "certify", "risk", "certainty", "folds"):
        twice = name in settings.hyperparameters and getattr(settings, name) is not None
        _require(
            not twice, name, getattr(settings, name), "said once, not as hyperparameter as well"
        )


def _require(right: object, setting: str, got: object, would_be_right: str) -> None:
    if not right:
        raise ValueError(f"{setting} is {got!r}; it should be {would_be_right}")


def _as_is(setting: str, value: Any) -> Any:
    return value


def _number(setting: str, value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{setting} is {value!r}; it should be a number") from None


def _whole(setting: str, value: Any) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{setting} is {value!r}; it should be a whole number") from None


def _names(setting: str, value: Any) -> tuple[str, ...]:
    return tuple(each.strip() for each in value.split(",")) if isinstance(value, str) else value


def _pairs(setting: str, value: Any) -> dict[str, str]:
    """`name=value` texts, as a list or with commas between, as a dictionary."""
    if isinstance(value, Mapping):
        return dict(value)
    texts = value.split(",") if isinstance(value, str) else value
    pairs = [text.strip().partition("=") for text in texts if text.strip()]
    for name, sign, rest in pairs:
        _require(name and sign and rest, setting, f"{name}{sign}{rest}", "name=value")
    return {name.strip(): rest.strip() for name, _, rest in pairs}


def _hyperparameters(setting: str, value: Any) -> dict[str, str]:
    return _pairs("hyperparameter", value)


def _bays(setting: str, value: Any) -> dict[str, Bay]:
    bays: dict[str, Bay] = {}
    for name, text in _pairs(setting, value).items():
        if isinstance(text, Bay):
            bays[name] = text
            continue
        bay, sign, radius = text.rpartition(":")
        _require(bay and sign, setting, f"{name}={text}", "class=bay name:radius in km")
        bays[name] = Bay(bay, _number(setting, radius))
        right = 0 <= bays[name].order_radius_km < math.inf
        _require(right, setting, f"{name}={text}", "a radius of 0 km or more")
    return bays


def _path(setting: str, value: Any) -> Path:
    return Path(value).expanduser()


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "classes": _names,
    "bays": _bays,
    "threshold": _number,
    "certify": _whole,
    "risk": _number,
    "certainty": _number,
    "folds": _whole,
    "hyperparameters": _hyperparameters,
    "invocations": _whole,
    "parallel": _whole,
    "seed": _whole,
    "home": _path,
    "report_dir": _path,
}
