"""Scones: a picture classifier as a monitored workflow, on AWS or on a small AWS of your own."""

import sys

import typer
from typer.exceptions import TyperException

from scones.cli import cloud, journey, monitor, tune

INTERRUPTED = 130
"""The exit status that a shell gives to a program ended by Ctrl-C."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
for each in (cloud, journey, tune, monitor):
    app.add_typer(each.commands)


def main(arguments: list[str] | None = None) -> None:
    """The `scones` command.

    What is the user's to put right is one line and exit status 2; what a service refused or a
    job failed at is one line and exit status 1.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        status = app(args=words or ["--help"], standalone_mode=False) or 0
        if status == INTERRUPTED:
            typer.echo("\nscones: interrupted; what was started here is stopped", err=True)
        sys.exit(status)
    except TyperException as error:  # a word that is no option, a value of the wrong kind
        _end(getattr(error, "format_message", error.__str__)(), 2)
    except ValueError as error:
        _end(error, 2)
    except Exception as error:
        from scones.clients import CloudError
        from scones.workflow.deploy import EndpointError
        from scones.workflow.train import JobError

        if not isinstance(error, (*CloudError, JobError, EndpointError)):
            raise
        _end(error, 1)


def _end(error: object, status: int) -> None:
    typer.echo(f"scones: {' '.join(str(error).split())}", err=True)
    sys.exit(status)
