"""Scones: a picture classifier as a monitored workflow, on AWS or on a small AWS of your own."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.local import control, surroundings

if TYPE_CHECKING:
    from scones.clients import Clients
    from scones.images.images import Dataset
    from scones.settings import Settings
    from scones.workflow.progress import Steps

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

CONTAINERS = {
    "image-classification": {
        "train": [sys.executable, "-m", "scones.container.job"],
        "serve": [sys.executable, "-m", "scones.container.endpoint"],
    },
    "pytorch-training": {"train": [sys.executable, "-m", "scones.container.script_job"]},
    "pytorch-inference": {"serve": [sys.executable, "-m", "scones.container.script_endpoint"]},
}
"""Which command stands for which container image: the local cloud knows nothing of ours."""

HomeOption = Annotated[Path, typer.Option(help="Folder that holds the local cloud's state.")]
HOME = Path(".scones")


Data = Annotated[
    str | None, typer.Option(help="auto, cifar100, sample, or PATH of an archive or folder.")
]
Classes = Annotated[str | None, typer.Option(help="Two or more, with commas between.")]
Bays = Annotated[str | None, typer.Option(help="class=bay name:order radius in km, ...")]
Threshold = Annotated[float | None, typer.Option(help="Least confidence acted upon.")]
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


@app.command()
def up(
    home: HomeOption = HOME,
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 4566,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    expose: Annotated[bool, typer.Option(help="Allow a host beyond this computer.")] = False,
    account: Annotated[str, typer.Option(help="The account id in ARNs.")] = "000000000000",
    region: Annotated[str, typer.Option(help="The region in ARNs.")] = "us-east-1",
) -> None:
    """Start the local cloud in the background."""
    running = control.status(home)
    if running is None:
        arguments = [
            "--port", str(port), "--host", host, "--account", account, "--region", region,
            "--containers", json.dumps(CONTAINERS), *(["--expose"] if expose else []),
        ]  # fmt: skip
        running = control.start(home, arguments=arguments)
        if expose:
            typer.echo(f"WARNING: whoever reaches {host} can run code here", err=True)
        typer.echo(f"The local cloud listens on {running.url} (home: {home})")
    else:
        typer.echo(f"The local cloud runs already, on {running.url} (home: {home})")


@app.command()
def down(home: HomeOption = HOME) -> None:
    """Stop the local cloud; its state stays."""
    stopped = control.stop(home)
    typer.echo("The local cloud is stopped." if stopped else f"No local cloud runs on {home}.")


@app.command()
def status(home: HomeOption = HOME) -> None:
    """Tell whether the local cloud runs, and where; exit status 1 if not."""
    running = control.status(home)
    if running is None:
        typer.echo(f"No local cloud runs on {home}.")
        raise typer.Exit(1)
    hours, seconds = divmod(int(time.time() - running.started), 3600)
    typer.echo(f"url      {running.url}")
    typer.echo(f"account  {running.account}, {running.region}")
    typer.echo(f"pid      {running.pid}")
    typer.echo(f"up for   {hours} h {seconds // 60} min {seconds % 60} s")


@app.command()
def env(home: HomeOption = HOME) -> None:
    """Print shell lines that point AWS programs at the local cloud: eval "$(scones env)"."""
    variables = _variables(home)
    for name in surroundings.unwanted(os.environ):
        typer.echo(f"unset {name}")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command(name="exec", context_settings={"ignore_unknown_options": True})
def execute(
    command: Annotated[list[str], typer.Argument(help="Program and arguments, after --.")],
    home: HomeOption = HOME,
) -> None:
    """Run a program that finds the local cloud instead of AWS."""
    around = {**os.environ, **_variables(home)}
    for name in surroundings.unwanted(os.environ):
        del around[name]
    try:
        os.execvpe(command[0], command, around)
    except OSError as error:
        raise ValueError(f"cannot run {command[0]!r}: {error.strerror}") from error


def _variables(home: Path) -> dict[str, str]:
    running = control.status(home)
    if running is None:
        raise ValueError(f"no local cloud runs on home {str(home)!r}; start one with: scones up")
    return surroundings.variables(running, home, os.environ)


@app.command()
def run(
    data: Data = None,
    classes: Classes = None,
    bays: Bays = None,
    threshold: Threshold = None,
    invocations: Invocations = None,
    parallel: Parallel = None,
    seed: Seed = None,
    hyperparameter: Hyperparameter = None,
    home: Home = None,
    report_dir: ReportDir = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Stage, train, deploy, classify and report: the whole journey."""
    from scones.workflow.report import check_folder
    from scones.workflow.run import run as run_all
    from scones.workflow.summary import summary

    settings = _settings(
        data=data, classes=classes, bays=bays, threshold=threshold, invocations=invocations,
        parallel=parallel, seed=seed, hyperparameters=hyperparameter, home=home,
        report_dir=report_dir, target=target, role=role, region=region, bucket=bucket,
    )  # fmt: skip
    check_folder(settings.report_dir)
    settings.bays_of(settings.classes)
    dataset = _dataset(settings)
    with _clients(settings) as clients:
        report = run_all(clients, dataset, _steps())
    typer.echo(summary(report, settings), nl=False)


@app.command()
def stage(
    data: Data = None,
    classes: Classes = None,
    parallel: Parallel = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Put the pictures of the wanted classes, their lists and a manifest into the bucket."""
    from scones.workflow.stage import stage as put

    settings = _settings(
        data=data, classes=classes, parallel=parallel, home=home, target=target, role=role,
        region=region, bucket=bucket,
    )  # fmt: skip
    dataset = _dataset(settings)
    with _clients(settings) as clients:
        staged = put(clients, dataset, _steps())
        typer.echo(f"{len(staged.entries)} pictures are staged in s3://{clients.bucket}")


@app.command()
def train(
    seed: Seed = None,
    hyperparameter: Hyperparameter = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Train a model on what is staged."""
    from scones.workflow.staged import read_staged
    from scones.workflow.train import train as fit

    settings = _settings(
        seed=seed, hyperparameters=hyperparameter, home=home, target=target, role=role,
        region=region, bucket=bucket,
    )  # fmt: skip
    with _clients(settings) as clients:
        trained = fit(clients, read_staged(clients), _steps())
    typer.echo(f"training job {trained.job} left {trained.model_uri}")


@app.command()
def deploy(
    threshold: Threshold = None,
    bays: Bays = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Serve the newest model, with the functions and the machine around it."""
    from scones.workflow.deploy import deploy as serve
    from scones.workflow.staged import read_staged
    from scones.workflow.train import last_trained

    settings = _settings(
        threshold=threshold, bays=bays, home=home, target=target, role=role, region=region,
        bucket=bucket,
    )  # fmt: skip
    with _clients(settings) as clients:
        facts = read_staged(clients).facts
        deployment = serve(clients, last_trained(clients), facts, _steps())
    typer.echo(f"endpoint {deployment.endpoint} serves {deployment.job}")
    typer.echo(f"state machine {deployment.state_machine}")


@app.command()
def classify(
    invocations: Invocations = None,
    parallel: Parallel = None,
    seed: Seed = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Run the machine over test pictures chosen at random, balanced by class."""
    from scones.workflow.classify import classify as execute
    from scones.workflow.classify import tally
    from scones.workflow.staged import read_staged

    settings = _settings(
        invocations=invocations, parallel=parallel, seed=seed, home=home, target=target,
        role=role, region=region, bucket=bucket,
    )  # fmt: skip
    with _clients(settings) as clients:
        outcomes = execute(clients, read_staged(clients), _steps())
    typer.echo(tally(outcomes))


@app.command()
def report(
    home: Home = None,
    report_dir: ReportDir = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Write the report on the deployed model anew, from what was captured."""
    from scones.workflow.report import check_folder
    from scones.workflow.report import report as write
    from scones.workflow.summary import summary

    settings = _settings(
        home=home, report_dir=report_dir, target=target, role=role, region=region, bucket=bucket
    )
    check_folder(settings.report_dir)
    with _clients(settings) as clients:
        made = write(clients, _steps())
    typer.echo(summary(made, settings), nl=False)


@app.command()
def destroy(
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Delete everything that the other commands made, by its tag."""
    from scones.workflow.destroy import destroy as delete

    settings = _settings(home=home, target=target, role=role, region=region, bucket=bucket)
    with _clients(settings) as clients:
        for words in delete(clients, _steps()):
            typer.echo(f"deleted {words}")


def _settings(**options: Any) -> "Settings":
    from scones.settings import Settings

    return Settings.read(os.environ, **options)


def _dataset(settings: "Settings") -> "Dataset":
    """The pictures, read before anything is started or written to the cloud."""
    from scones.workflow import archive

    path = archive.locate(settings.data, settings.home / "data", os.environ, _notice)
    dataset, damaged = archive.read(path, settings.classes)
    if damaged:
        _notice(f"No pictures, so left out: {', '.join(damaged)}")
    return dataset


def _notice(words: str) -> None:
    """What must not be missed, on standard error between two rules."""
    import textwrap

    rule = "!" * 80
    typer.echo(f"{rule}\n{textwrap.fill(words, 80)}\n{rule}", err=True)


def _steps() -> "Steps":
    from rich.console import Console

    from scones.workflow.progress import Bars, Lines

    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines(sys.stderr)


@contextmanager
def _clients(settings: "Settings") -> Iterator["Clients"]:
    """Clients of AWS, or of the local cloud on the settings' home.

    Where none runs there, one is started on a free port and stopped again afterwards.
    """
    from dataclasses import replace

    from scones.clients import connect

    if not settings.local or settings.endpoint_url is not None:
        yield connect(settings)
        return
    running = control.status(settings.home)
    started = running is None
    if running is None:
        containers = ["--containers", json.dumps(CONTAINERS)]
        only_with_us = ["--with-parent", str(os.getpid())]
        try:
            running = control.start(
                settings.home, arguments=["--port", "0", *containers, *only_with_us]
            )
        except OSError as error:
            raise ValueError(
                f"home is {str(settings.home)!r}, which cannot be written ({error.strerror}); "
                "choose another with --home"
            ) from error
    try:
        yield connect(replace(settings, endpoint_url=running.url, region=running.region))
    finally:
        if started:
            control.stop(settings.home)


def main(arguments: list[str] | None = None) -> None:
    """The `scones` command.

    What is the user's to put right is one line and exit status 2; what a service refused or a
    job failed at is one line and exit status 1.
    """
    try:
        app(args=arguments)
    except ValueError as error:
        _end(error, 2)
    except Exception as error:
        from scones.clients import CloudError
        from scones.workflow.deploy import EndpointError
        from scones.workflow.train import JobError

        if not isinstance(error, (*CloudError, JobError, EndpointError)):
            raise
        _end(error, 1)


def _end(error: Exception, status: int) -> None:
    typer.echo(f"scones: {' '.join(str(error).split())}", err=True)
    sys.exit(status)
