"""The tune command: search for better hyperparameters."""

import textwrap
from typing import Annotated

import typer

from scones.cli.connection import connected
from scones.cli.options import (
    Bucket,
    Home,
    Hyperparameter,
    Profile,
    Region,
    ReportDir,
    Role,
    Seed,
    Target,
    option,
    progress,
    settle,
)

commands = typer.Typer()


@commands.command()
def tune(
    trials: Annotated[int, option("How many in all, with those of before.", 20)] = 20,
    folds: Annotated[int, option("Of the training pictures.", 5)] = 5,
    search: Annotated[
        list[str] | None,
        typer.Option(help="name=low:high, name=low:high:log or name=a,b,c; may be repeated."),
    ] = None,
    by: Annotated[
        str | None,
        option("optuna: cross-validation; sagemaker: a tuning job.", "optuna; sagemaker on AWS"),
    ] = None,
    objective: Annotated[str, option("accuracy, or log_loss.", "accuracy")] = "accuracy",
    strategy: Annotated[str, option("bayesian, or random.", "bayesian")] = "bayesian",
    jobs: Annotated[int, option("Training jobs at a time, with --by sagemaker.", 2)] = 2,
    profile: Profile = None,
    seed: Seed = None,
    hyperparameter: Hyperparameter = None,
    home: Home = None,
    report_dir: ReportDir = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Search for better hyperparameters; broken off, the same command goes on."""
    from scones.workflow import search as space
    from scones.workflow import tuning_job
    from scones.workflow.report import check_folder
    from scones.workflow.staged import read_staged
    from scones.workflow.tune import OPTUNA, SAGEMAKER, Tuning, write_files

    settings = settle(
        profile=profile, seed=seed, hyperparameters=hyperparameter, home=home,
        report_dir=report_dir, target=target, role=role, region=region, bucket=bucket,
    )  # fmt: skip
    way = by or (OPTUNA if settings.local else SAGEMAKER)
    if way not in (OPTUNA, SAGEMAKER):
        raise ValueError(f"by is {by!r}; it should be {OPTUNA} or {SAGEMAKER}")
    tuning = Tuning(space.read(search or space.DEFAULT), trials, folds, objective, strategy, jobs)
    tuning.check(settings)
    check_folder(settings.report_dir)
    if way == OPTUNA:
        try:
            from scones.workflow import study
        except ModuleNotFoundError as error:
            raise ValueError(
                f"--by optuna needs {error.name}, which is not installed; "
                "pip install optuna -c constraints.txt, or give --by sagemaker"
            ) from error
        search_by = study.tune
    else:
        search_by = tuning_job.tune
    with connected(settings) as clients:
        try:
            tuned = search_by(clients, read_staged(clients), tuning, progress())
        except KeyboardInterrupt:
            typer.echo("\nscones: what was tried is kept; the same command goes on", err=True)
            raise
    write_files(tuned, settings)
    typer.echo(textwrap.fill(tuned.sentence(), 80, break_on_hyphens=False))
    typer.echo(tuned.command(settings))
    typer.echo(f"tune.json, tune.png and tune.svg are in {settings.report_dir}")
