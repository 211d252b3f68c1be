"""Scones: a picture classifier as a monitored workflow, on AWS or on a small AWS of your own."""

import atexit
import gc
import shutil
import sys
import textwrap
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from scones.cli import cloud, journey, monitor, tune

INTERRUPTED = 130
"""The exit status that a shell gives to a program ended by Ctrl-C."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
for each in (cloud, journey, tune, monitor):
    app.add_typer(each.commands)

_RIGHT = {
    "int_parsing": "a whole number",
    "float_parsing": "a number",
}
"""What pydantic, which reads numbers for typer, calls a text that is none."""


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scones {version('scones')}")
        raise typer.Exit


@app.callback(help=__doc__)
def _scones(
    told: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    """Options before the command."""


def main(arguments: list[str] | None = None) -> None:
    """The `scones` command.

    What is the user's to put right is one line and exit status 2; what a service refused or a
    job failed at is one line and exit status 1.
    """
    words = sys.argv[1:] if arguments is None else arguments
    # Python ends by searching all that was imported for cycles, twice: 0.8 s of `monitor`'s 5.3.
    atexit.register(gc.freeze)
    try:
        status = app(args=words or ["--help"], standalone_mode=False) or 0
        if status == INTERRUPTED:
            typer.echo("\nscones: interrupted; what was started here is stopped", err=True)
        sys.exit(status)
    except TyperException as error:  # a word that is no option, a value of the wrong kind
        _end(_misused(error), 2)
    except ValueError as error:
        _end(error, 2)
    except Exception as error:
        from scones.clients import CloudError
        from scones.workflow.deploy import EndpointError
        from scones.workflow.train import JobError

        if not isinstance(error, (*CloudError, JobError, EndpointError)):
            raise
        _end(error, 1)


def _misused(error: Any) -> str:
    """What is wrong with an option, in the words that settings have for it."""
    faults: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    right = _RIGHT.get(faults[0]["type"]) if faults else None
    if right is None:
        return str(getattr(error, "format_message", error.__str__)())
    return f"{error.param.name} is {faults[0]['input']!r}; it should be {right}"


def _end(error: object, status: int) -> None:
    """One line for programs; a terminal gets it broken between words."""
    line = f"scones: {' '.join(str(error).split())}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(
            line, width, subsequent_indent=" " * 8, break_on_hyphens=False, break_long_words=False
        )
    typer.echo(line, err=True)
    sys.exit(status)
