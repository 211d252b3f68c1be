"""The journey's commands: stage, train, deploy, classify, report, all of them, and destroy."""

from typing import Annotated

import typer

from scones.cli.connection import connected
from scones.cli.options import (
    Bays,
    Bucket,
    Certainty,
    Certify,
    Classes,
    Data,
    Folds,
    Home,
    Hyperparameter,
    Invocations,
    Parallel,
    Pictures,
    Profile,
    Region,
    ReportDir,
    Risk,
    Role,
    Seed,
    Target,
    Threshold,
    agreed,
    option,
    pictures,
    progress,
    settle,
    settle_training,
)

commands = typer.Typer()


@commands.command()
def run(
    data: Data = None,
    classes: Classes = None,
    bays: Bays = None,
    profile: Profile = None,
    certify: Certify = None,
    risk: Risk = None,
    certainty: Certainty = None,
    folds: Folds = None,
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
    from scones.workflow.train import check_certify

    settings = settle_training(
        data=data, classes=classes, bays=bays, profile=profile, certify=certify, risk=risk,
        certainty=certainty, folds=folds, threshold=threshold, invocations=invocations,
        parallel=parallel, seed=seed, hyperparameters=hyperparameter, home=home,
        report_dir=report_dir, target=target, role=role, region=region, bucket=bucket,
    )  # fmt: skip
    check_folder(settings.report_dir)
    settings.bays_of(settings.classes)
    dataset = pictures(settings)
    check_certify(settings, len(dataset.train))
    with connected(settings) as clients:
        report = run_all(clients, dataset, progress())
    typer.echo(summary(report, settings), nl=False)


@commands.command()
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

    settings = settle(
        data=data, classes=classes, parallel=parallel, home=home, target=target, role=role,
        region=region, bucket=bucket,
    )  # fmt: skip
    dataset = pictures(settings)
    with connected(settings) as clients:
        staged = put(clients, dataset, progress())
        typer.echo(f"{len(staged.entries)} pictures are staged in s3://{clients.bucket}")


@commands.command()
def train(
    profile: Profile = None,
    certify: Certify = None,
    risk: Risk = None,
    certainty: Certainty = None,
    folds: Folds = None,
    seed: Seed = None,
    hyperparameter: Hyperparameter = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Train a model on what is staged."""
    from scones.workflow.card import read_card
    from scones.workflow.staged import read_staged
    from scones.workflow.summary import of_model
    from scones.workflow.train import train as fit

    settings = settle_training(
        profile=profile, certify=certify, risk=risk, certainty=certainty, folds=folds, seed=seed,
        hyperparameters=hyperparameter, home=home, target=target, role=role, region=region,
        bucket=bucket,
    )  # fmt: skip
    with connected(settings) as clients:
        trained = fit(clients, read_staged(clients), progress())
        card = read_card(clients, trained.job)
    typer.echo(f"training job {trained.job} left")
    typer.echo(f"  {trained.model_uri}")
    typer.echo(of_model(card), nl=False)


@commands.command()
def deploy(
    job: Annotated[
        str | None, option("Training job whose model serves.", "the newest not set aside")
    ] = None,
    threshold: Threshold = None,
    bays: Bays = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Serve the newest model, with the functions and the machine around it."""
    import textwrap

    from scones.workflow.aside import pick
    from scones.workflow.deploy import all_deployments
    from scones.workflow.deploy import deploy as serve
    from scones.workflow.staged import read_staged

    settings = settle(
        threshold=threshold, bays=bays, home=home, target=target, role=role, region=region,
        bucket=bucket,
    )  # fmt: skip
    with connected(settings) as clients:
        facts = read_staged(clients).facts
        before = [each.job for each in all_deployments(clients)[-1:]]
        trained, passed = pick(clients, facts, job)
        deployment = serve(clients, trained, facts, progress())
    for model in passed:
        typer.echo(textwrap.fill(model.sentence(), 80, break_on_hyphens=False))
    typer.echo(f"endpoint {deployment.endpoint} serves {deployment.job}")
    for other in before:
        if other != deployment.job:
            typer.echo(f"  in place of {other}")
    typer.echo(f"state machine {deployment.state_machine}")


@commands.command()
def classify(
    pictures: Pictures = None,
    invocations: Invocations = None,
    parallel: Parallel = None,
    seed: Seed = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Run the machine over test pictures chosen at random, or over all under a place in S3."""
    from scones.workflow import many
    from scones.workflow.classify import classify as execute
    from scones.workflow.classify import tally
    from scones.workflow.staged import read_staged

    settings = settle(
        invocations=invocations, parallel=parallel, seed=seed, home=home, target=target,
        role=role, region=region, bucket=bucket,
    )  # fmt: skip
    if pictures is not None:
        many.place(pictures)
    with connected(settings) as clients:
        if pictures is not None:
            typer.echo(many.tally(many.classify_many(clients, pictures, progress())))
            return
        outcomes = execute(clients, read_staged(clients), progress())
    typer.echo(tally(outcomes))


@commands.command()
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

    settings = settle(
        home=home, report_dir=report_dir, target=target, role=role, region=region, bucket=bucket
    )
    check_folder(settings.report_dir)
    with connected(settings) as clients:
        made = write(clients, progress())
    typer.echo(summary(made, settings), nl=False)


@commands.command()
def destroy(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Delete everything that the other commands made, by its tag; asks first on a terminal."""
    from scones.workflow.destroy import destroy as delete

    settings = settle(home=home, target=target, role=role, region=region, bucket=bucket)
    with connected(settings) as clients:
        place = (
            f"home {settings.home}"
            if settings.local
            else f"AWS account {clients.account}, {clients.region}"
        )
        mark = "=".join(*clients.tags.items())
        if not yes and not agreed(f"Delete all that is tagged {mark} in {place}?", settings):
            typer.echo("Nothing is deleted.")
            raise typer.Exit(1)
        gone = delete(clients, progress())
    for words in gone:
        typer.echo(f"deleted {words}")
    if not gone:
        typer.echo(f"Nothing to delete: nothing is tagged {mark} in {place}.")
