"""Words to calls: one command, one call."""

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def main() -> None:
    """The `scones` command."""
    app()
