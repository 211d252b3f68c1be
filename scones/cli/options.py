"""What commands share: their options, what these come to, pictures, and how progress is told."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from scones.settings import PROFILES, UNCERTIFIED_THRESHOLD, Settings

if TYPE_CHECKING:
    from scones.images.images import Dataset
    from scones.workflow.progress import Steps

_NOT_SAID = Settings()
"""What is so where nobody says otherwise: the help tells it."""


def option(words: str, default: object) -> Any:
    """An option with `words`, and what is so without it in brackets."""
    return typer.Option(help=f"{words} {escape(f'[{default}]')}", show_default=False)


Data = Annotated[
    str | None, option("auto, cifar100, sample, or PATH of an archive or folder.", _NOT_SAID.data)
]
Classes = Annotated[
    str | None, option("Two or more, with commas between.", ",".join(_NOT_SAID.classes))
]
Bays = Annotated[
    str | None,
    option("class=bay name:order radius in km, ...", "near-orders bay:3, far-orders bay:15"),
]
Threshold = Annotated[
    float | None,
    option(
        "Least confidence acted upon.", f"the certified one; {UNCERTIFIED_THRESHOLD} where none is"
    ),
]
Profile = Annotated[str | None, option("quick, or best.", PROFILES[0])]
Certify = Annotated[
    int | None,
    option("Training pictures held out to certify; 0: none.", "200, or a fifth if less"),
]
Risk = Annotated[float | None, option("Share of wrong ones among the accepted to promise.", 0.05)]
Certainty = Annotated[float | None, option("Of that promise.", 0.95)]
Folds = Annotated[
    int | None, option("Fits more, for out-of-fold figures: an estimate, not a certificate.", 0)
]
Pictures = Annotated[
    str | None,
    typer.Argument(help=f"s3://bucket/prefix/: all there. {escape('[random test pictures]')}"),
]
Invocations = Annotated[int | None, option("How many executions.", _NOT_SAID.invocations)]
Parallel = Annotated[int | None, option("How many at a time.", _NOT_SAID.parallel)]
Seed = Annotated[
    int | None, option("Of what is left to chance: equal seeds, equal choices.", _NOT_SAID.seed)
]
Hyperparameter = Annotated[
    list[str] | None, typer.Option(help="name=value of image-classification; may be repeated.")
]
Home = Annotated[Path | None, option("The local cloud's folder.", _NOT_SAID.home)]
ReportDir = Annotated[Path | None, option("Where the report goes.", _NOT_SAID.report_dir)]
Target = Annotated[str | None, option("local, or aws.", _NOT_SAID.target)]
Role = Annotated[str | None, typer.Option(help="IAM role's ARN, for --target aws.")]
Region = Annotated[str | None, option("AWS region.", "us-east-1; on AWS, the environment's")]
Bucket = Annotated[str | None, option("S3 bucket.", "scones-REGION-ACCOUNT")]


def settle(**options: Any) -> Settings:
    return Settings.read(os.environ, **options)


def settle_training(**options: Any) -> Settings:
    """Settings, with no hyperparameter that a job would fail at."""
    from scones.workflow import algorithm

    settings = settle(**options)
    algorithm.check(settings.hyperparameters)
    return settings


def pictures(settings: Settings) -> "Dataset":
    """The pictures, read before anything is started or written to the cloud."""
    from scones.workflow import archive

    path = archive.locate(
        settings.data, settings.home / "data", os.environ, notice, classes=settings.classes
    )
    dataset, damaged = archive.read(path, settings.classes)
    if damaged:
        notice(f"No pictures, so left out: {', '.join(damaged)}")
    return dataset


def agreed(question: str, settings: Settings) -> bool:
    """Whether the person at the terminal says yes; no is the answer to Enter.

    Where nobody can be asked, the laptop's own cloud may be changed, and ValueError says how to go
    on with an AWS account.
    """
    if sys.stdin.isatty():
        try:
            return typer.confirm(question, err=True)
        except typer.Abort:  # Ctrl-C, Ctrl-D
            typer.echo(err=True)
            return False
    if not settings.local:
        raise ValueError(f"{question} Nobody can be asked here; give --yes")
    return True


def notice(words: str) -> None:
    """What must not be missed, on standard error between two rules."""
    import textwrap

    rule = "!" * 80
    typer.echo(f"{rule}\n{textwrap.fill(words, 80)}\n{rule}", err=True)


def progress() -> "Steps":
    from rich.console import Console

    from scones.workflow.progress import Bars, Lines

    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines(sys.stderr)
