"""Scones: a picture classifier as a monitored workflow, on AWS or on a small AWS of your own."""

import sys

import typer

from scones.cli import cloud, journey, monitor

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
for each in (cloud, journey, monitor):
    app.add_typer(each.commands)


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
