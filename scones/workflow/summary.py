"""What a run came to, in plain lines of at most 80 columns."""

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from scones.gate.calibration import Calibration
from scones.monitor.report import CERTAINTY, Report, Share, stands, verdict
from scones.settings import Settings

WIDTH, LABEL = 80, 12
UNJOINED = "no captured picture is a staged test picture"


def summary(report: Report, settings: Settings) -> str:
    """The report's figures with their intervals, and where everything lies."""
    lines = [_heading(report), *(_line(label, text) for label, text in _facts(report, settings))]
    return "\n".join(lines) + "\n"


def _heading(report: Report) -> str:
    material = report.material
    text = f"{', '.join(material.classes)} (dataset: {material.dataset})"
    return textwrap.fill(text, WIDTH)


def _facts(report: Report, settings: Settings) -> Iterator[tuple[str, str]]:
    material = report.material
    if material.dataset == "sample":
        yield "NOTE", "dataset: sample. Pictures drawn by code; no figure is about photographs."
    yield "accuracy", _share(report.accuracy, UNJOINED)
    ended = [f"{report.count('SUCCEEDED')} succeeded"]
    ended += [f"{count} failed with {name}" for name, count in report.errors.most_common()]
    yield "executions", f"{len(material.executions)}: {', '.join(ended)}{_beyond(report)}"
    yield "gate", f"{stands(material)} {report.passed} of {len(report.judged)} captured pass."
    if material.promise:
        yield "promise", material.promise
    if material.card.get("calibration", {}).get("n") == 0:
        calibration = Calibration.from_json(material.card["calibration"])
        yield "CAUTION", f"{calibration.sentence(material.classes)} They may mislead."
    none = "no captured picture passed the gate" if not report.passed else UNJOINED
    out_of_fold = material.card.get("figures", {}).get("out_of_fold")
    if out_of_fold:
        yield "out of fold", _estimated(out_of_fold["accuracy"])
    yield "wrong passed", _share(report.accepted_wrong, none)
    yield "bias", verdict(report.by_truth, material.classes, "pictures that are")
    spent = [f"{name} {value:.3g}" for name, value in material.seconds.items() if value is not None]
    yield "seconds", ", ".join(spent)
    yield "report", str(settings.report_dir / "report.html")
    if settings.local:
        home = (
            "" if settings.home == Settings.home else f" --home {shlex.quote(str(settings.home))}"
        )
        again = f"`scones up{home}` serves it again, `scones run{home}` adds to it"
        yield "state", f"{settings.home} ({again})"
    else:
        yield "state", f"bucket {material.names.get('bucket')} (`scones destroy --target aws`)"


def _beyond(report: Report) -> str:
    if not report.beyond:
        return ""
    return (
        f"; {report.beyond} more captured (`scones classify s3://...`, or straight to the endpoint)"
    )


def of_model(card: Mapping[str, Any]) -> str:
    """What a model's card says of it, in short; empty where it has no figures, as a foreign one."""
    found = card.get("figures", {})
    lines = []
    if "validation" in found:
        lines.append(("accuracy", f"{_interval(found['validation']['accuracy'], 'test')}."))
    if "out_of_fold" in found:
        lines.append(("out of fold", _estimated(found["out_of_fold"]["accuracy"])))
    if lines:
        promise, calibration = card["sentences"]
        lines += [("promise", promise), ("confidence", calibration)]
    return "".join(f"{_line(label, text)}\n" for label, text in lines)


def _share(share: Share, none: str) -> str:
    if share.value is None:
        return f"unknown: {none}"
    low, high = share.interval
    return (
        f"{100 * share.value:.1f} % ({share.k} of {share.n}; "
        f"{100 * CERTAINTY:.0f} % interval {100 * low:.1f} to {100 * high:.1f} %)"
    )


def _estimated(accuracy: Mapping[str, Any]) -> str:
    return (
        f"accuracy {_interval(accuracy, 'training')}: by fits that had not seen the picture, which "
        "is an estimate for the deployed model, not a certificate."
    )


def _interval(accuracy: Mapping[str, Any], kind: str) -> str:
    return (
        f"{100 * accuracy['value']:.1f} % ({accuracy['n']} {kind} pictures; 95 % interval "
        f"{100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f} %)"
    )


def _line(label: str, text: str) -> str:
    indent = " " * (LABEL + 2)
    return textwrap.fill(
        text, WIDTH, initial_indent=f"{label:<{LABEL}}  ", subsequent_indent=indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
