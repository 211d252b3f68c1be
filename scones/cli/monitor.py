"""The monitor's commands: simulate, monitor, review, retrain."""

import os
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli.connection import alone, connected
from scones.cli.options import (
    Bucket,
    Certainty,
    Certify,
    Folds,
    Home,
    Hyperparameter,
    Parallel,
    Profile,
    Region,
    ReportDir,
    Risk,
    Role,
    Seed,
    Target,
    Threshold,
    option,
    progress,
    settle,
    settle_training,
)  # fmt: skip

if TYPE_CHECKING:
    from scones.monitor.capture import Fault
    from scones.workflow.watch import Watched

commands = typer.Typer()

ALARMED = 3
"""Exit status where an alarm was raised that --fail-on names; 2 is a mistake, 1 a failure."""
FOLLOW_S = 10.0
REQUESTS, TO_REVIEW = 1000, 20


@commands.command()
def simulate(
    count: Annotated[int | None, option("Requests in all.", REQUESTS)] = None,
    balance: Annotated[float | None, option("Share of the first class.", 0.5)] = None,
    rate: Annotated[str | None, typer.Option(help="Such as 5/s, 90/m or 1000/h.")] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="With --rate: 30s, 10m, 2h.")
    ] = None,
    drift: Annotated[
        str | None, typer.Option(help="blur, dark, jpeg (pictures) or label-shift (their mix).")
    ] = None,
    after: Annotated[int, option("Requests before the drift.", 0)] = 0,
    straight: Annotated[
        bool, typer.Option("--straight", help="To the endpoint, past the machine.")
    ] = False,
    parallel: Parallel = None,
    seed: Seed = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Send a stream of test pictures whose truth is known, as they come or under drift."""
    from scones.workflow.pace import per_second, seconds
    from scones.workflow.simulate import Plan
    from scones.workflow.simulate import simulate as send
    from scones.workflow.staged import read_staged

    paced = None if rate is None else per_second(rate)
    if duration is not None and (paced is None or count is not None):
        raise ValueError(f"--for is {duration!r}; it goes with --rate and without --count")
    if duration is not None and paced is not None:
        count = max(1, round(paced * seconds(duration, "--for")))
    plan = Plan(REQUESTS if count is None else count, balance, paced, drift, after, straight)
    settings = settle(
        parallel=parallel, seed=seed, home=home, target=target, role=role, region=region,
        bucket=bucket,
    )  # fmt: skip
    with connected(settings, begun=True) as clients:
        done = send(clients, read_staged(clients), plan, progress())
    _paragraph("sent", done.sentence())
    if done.truth_uri is not None:
        _paragraph("truth", done.truth_uri)


@commands.command()
def monitor(
    source: Annotated[
        str | None,
        typer.Argument(help="s3://bucket/prefix/ or folder. \\[our endpoint's captures]"),
    ] = None,
    truth: Annotated[
        str | None, typer.Option(help="manifest, S3 prefixes or folders of ground truth, or none.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="A card, a model.tar.gz, or a period START/END.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Look again every 10 s.")] = False,
    every: Annotated[str | None, typer.Option(help="Look again at such times: 30s, 1h.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="suspended, biased, drift, inaccurate, unbalanced: status 3 at the end if raised."
        ),
    ] = None,
    webhook: Annotated[str | None, typer.Option(help="URL that gets changes as JSON.")] = None,
    topic: Annotated[str | None, typer.Option(help="ARN of an SNS topic for changes.")] = None,
    pictures: Annotated[bool, option("Look at the pictures, too.", "yes")] = True,
    classes: Annotated[
        str | None,
        option("Of captures not our endpoint's.", "the baseline's, or bicycle,motorcycle"),
    ] = None,
    threshold: Annotated[
        float | None,
        option("Of captures not our endpoint's.", "the certified of --baseline, or 0.8"),
    ] = None,
    parallel: Parallel = None,
    home: Home = None,
    report_dir: ReportDir = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Tell in sentences whether the model's decisions can still be trusted, and draw why."""
    from scones.clients import CloudError
    from scones.workflow.alarm import named, to_topic, to_webhook
    from scones.workflow.files import legible
    from scones.workflow.pace import seconds
    from scones.workflow.report import check_folder
    from scones.workflow.subject import Question
    from scones.workflow.watch import tell, watch

    fatal = named(fail_on)
    pause_s = seconds(every, "every") if every is not None else FOLLOW_S if follow else None
    settings = settle(
        classes=classes, parallel=parallel, home=home, report_dir=report_dir, target=target,
        role=role, region=region, bucket=bucket,
    )  # fmt: skip
    named_classes = settings.classes if classes or "SCONES_CLASSES" in os.environ else None
    question = Question(source, truth, baseline, threshold, pictures, named_classes)
    check_folder(settings.report_dir)
    tells = {} if webhook is None else {webhook: to_webhook(webhook)}
    raised: tuple[str, ...] = ()
    cloud = question.needs_cloud or topic is not None
    unshared = cloud and pause_s is not None and alone(settings)
    with connected(settings, begun=True) if cloud else nullcontext() as clients:
        if topic is not None and clients is not None:
            tells[topic] = to_topic(clients, topic)
        # What a run prints that sends messages too takes nothing from a look at a terminal.
        printed = " ".join(["standard output", *tells])
        seen = watch(clients, settings, question, progress())
        _say(seen)
        if unshared:
            _paragraph(
                "NOTE",
                "While this goes on no other command can use the home, to send traffic say. Begin "
                f"with `scones up --home {settings.home}` to run commands side by side.",
            )
        tell(seen, {printed: lambda _, changes, __: _print(each.move() for each in changes)})
        _paragraph("report", legible(str(seen.page)))
        sys.stdout.flush()
        tell(seen, tells)
        raised = _raised(seen, fatal, (), pause_s is not None)
        tells[printed] = lambda _, changes, __: _print(each.line() for each in changes)
        try:
            while pause_s is not None:
                time.sleep(pause_s)
                try:
                    seen = watch(clients, settings, question)
                    tell(seen, tells)
                    raised = _raised(seen, fatal, raised, True)
                except (ValueError, *CloudError) as error:  # a webhook or S3 may be back next time
                    typer.echo(f"scones: {' '.join(str(error).split())}", err=True)
        except KeyboardInterrupt:
            typer.echo(f"Watched until now; the report is {legible(str(seen.page))}", err=True)
    if raised:
        _paragraph(f"exit {ALARMED}", f"{', '.join(raised)}: raised, and named by --fail-on")
        raise typer.Exit(ALARMED)


def _raised(
    seen: "Watched", fatal: set[str], before: tuple[str, ...], again: bool
) -> tuple[str, ...]:
    """The alarms of --fail-on that this look or one before raised; `again`: others follow."""
    new = tuple(each for each in seen.findings.alarms if each in fatal and each not in before)
    if new and again:
        _paragraph(
            "alarm",
            f"{', '.join(new)}: raised, and named by --fail-on. The looks go on; Ctrl-C ends them, "
            f"with exit status {ALARMED}",
        )
        sys.stdout.flush()
    return (*before, *new)


def _say(seen: "Watched") -> None:
    """Every verdict as a paragraph, and what was read."""
    from scones.monitor.sentences import number

    for note in seen.sheet.notes:
        _paragraph("NOTE", note)
    for verdict in seen.findings.verdicts:
        _paragraph(verdict.about, verdict.sentence)
    sheet = seen.sheet
    pictures = sheet.num_pictures
    different = "" if pictures is None else f" of {number(pictures, 'picture')}"
    num_captures = len(sheet.faults) - len(seen.subject.faults)
    faults = _unread(sheet.faults[:num_captures], "line")
    read = number(len(sheet.window), "record")
    _paragraph("read", f"{read}{different} at {sheet.place}{faults}")
    if seen.subject.faults:
        labels = number(len(seen.subject.labels), "label")
        lines = _unread(
            sheet.faults[num_captures:], "line of ground truth", "lines of ground truth"
        )
        _paragraph("truth", f"{labels}{lines}")


def _unread(faults: "Sequence[Fault]", thing: str, things: str | None = None) -> str:
    """How many could not be read, and the first; nothing where all could."""
    if not faults:
        return ""
    lead = "" if len(faults) == 1 else ", the first"
    what = thing if len(faults) == 1 else things or f"{thing}s"
    return f"; {len(faults):,} {what} could not be read{lead}: {faults[0]}"


def _print(changes: Iterable[str]) -> None:
    for each in changes:
        _paragraph("changed", each)
    sys.stdout.flush()


def _paragraph(label: str, text: str) -> None:
    from scones.monitor.sentences import glued

    indent = f"{label:<13}  "
    rest = " " * len(indent)
    words = textwrap.wrap(
        glued(text), 80 - len(indent), break_on_hyphens=False, break_long_words=False
    )
    typer.echo((indent + f"\n{rest}".join(words)).replace("\N{NO-BREAK SPACE}", " "))


@commands.command()
def review(
    count: Annotated[int, option("Pictures at most.", TO_REVIEW)] = TO_REVIEW,
    only_list: Annotated[bool, typer.Option("--list", help="Name them, ask nothing.")] = False,
    parallel: Parallel = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Label the captured pictures that would teach the model most, in the terminal."""
    from scones.workflow.review import Candidate, candidates, drawn, label

    def ask(candidate: Candidate, words: str) -> str:
        if sys.stdout.isatty():
            typer.echo(f"\n{drawn(candidate.record.picture or b'')}")
        typer.echo(candidate.line(listed.class_names))
        try:
            answer: str = typer.prompt(words, default="", show_default=False)
        except typer.Abort:
            return "q"
        return answer

    settings = settle(
        parallel=parallel, home=home, target=target, role=role, region=region, bucket=bucket
    )
    with connected(settings, begun=True) as clients:
        listed = candidates(clients, count, progress())
        if only_list:
            for each in listed.candidates:
                typer.echo(each.line(listed.class_names))
            return
        if not listed.candidates:
            typer.echo("Nothing to review: every captured picture has its label.")
            return
        labelled, uri = label(clients, listed, ask, typer.echo)
    typer.echo(f"{labelled} labelled" + (f"; their truth is in {uri}" if uri else ""))


@commands.command()
def retrain(
    back: Annotated[
        bool, typer.Option("--back", help="Let the model before the present one serve again.")
    ] = False,
    profile: Profile = None,
    certify: Certify = None,
    risk: Risk = None,
    certainty: Certainty = None,
    folds: Folds = None,
    threshold: Threshold = None,
    seed: Seed = None,
    hyperparameter: Hyperparameter = None,
    home: Home = None,
    target: Target = None,
    role: Role = None,
    region: Region = None,
    bucket: Bucket = None,
) -> None:
    """Learn from reviewed pictures too; deploy the new model only if it is not worse."""
    from scones.workflow.retrain import back as go_back
    from scones.workflow.retrain import retrain as again

    given = {
        "--profile": profile, "--certify": certify, "--risk": risk, "--certainty": certainty,
        "--folds": folds, "--threshold": threshold, "--seed": seed,
        "--hyperparameter": hyperparameter or None,
    }  # fmt: skip
    told = [name for name, value in given.items() if value is not None]
    if back and told:
        raise ValueError(
            f"--back goes without {', '.join(told)}: nothing is trained, and the model before "
            "serves under its own threshold"
        )
    settings = settle_training(
        profile=profile, certify=certify, risk=risk, certainty=certainty, folds=folds,
        threshold=threshold, seed=seed, hyperparameters=hyperparameter, home=home, target=target,
        role=role, region=region, bucket=bucket,
    )  # fmt: skip
    with connected(settings, begun=True) as clients:
        if back:
            typer.echo(go_back(clients, progress()).sentence())
            return
        done = again(clients, progress())
    typer.echo(done.sentence())
