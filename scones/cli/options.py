"""What commands share: their options, what these come to, pictures, and how progress is told."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scones.images.images import Dataset
    from scones.settings import Settings
    from scones.workflow.progress import Steps

Data = Annotated[
    str | None, typer.Option(help="auto, cifar100, sample, or PATH of an archive or folder.")
]
Classes = Annotated[str | None, typer.Option(help="Two or more, with commas between.")]
Bays = Annotated[str | None, typer.Option(help="class=bay name:order radius in km, ...")]
Threshold = Annotated[
    float | None,
    typer.Option(help="Least confidence acted upon. [the certified one; 0.8 where none is]"),
]
Profile = Annotated[str | None, typer.Option(help="quick, or best. [quick]")]
Certify = Annotated[
    int | None,
    typer.Option(help="Training pictures held out to certify; 0: none. [200, or a fifth if less]"),
]
Risk = Annotated[
    float | None, typer.Option(help="Share of wrong ones among the accepted to promise. [0.05]")
]
Certainty = Annotated[float | None, typer.Option(help="Of that promise. [0.95]")]
Pictures = Annotated[
    str | None, typer.Argument(help="s3://bucket/prefix/: everything there. [random test pictures]")
]
Invocations = Annotated[int | None, typer.Option(help="How many executions.")]
Parallel = Annotated[int | None, typer.Option(help="How many at a time.")]
Seed = Annotated[int | None, typer.Option(help="Of training and of the choice of pictures.")]
Hyperparameter = Annotated[
    list[str] | None, typer.Option(help="name=value of image-classification; may be repeated.")
]
Home = Annotated[Path | None, typer.Option(help="The local cloud's folder. [.scones]")]
ReportDir = Annotated[Path | None, typer.Option(help="Where the report goes. [report]")]
Target = Annotated[str | None, typer.Option(help="local, or aws.")]
Role = Annotated[str | None, typer.Option(help="IAM role's ARN, for --target aws.")]
Region = Annotated[str | None, typer.Option(help="AWS region.")]
Bucket = Annotated[str | None, typer.Option(help="S3 bucket. [scones-REGION-ACCOUNT]")]


def settle(**options: Any) -> "Settings":
    from scones.settings import Settings

    return Settings.read(os.environ, **options)


def pictures(settings: "Settings") -> "Dataset":
    """The pictures, read before anything is started or written to the cloud."""
    from scones.workflow import archive

    path = archive.locate(settings.data, settings.home / "data", os.environ, notice)
    dataset, damaged = archive.read(path, settings.classes)
    if damaged:
        notice(f"No pictures, so left out: {', '.join(damaged)}")
    return dataset


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
