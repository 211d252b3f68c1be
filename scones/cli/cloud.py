"""The local cloud's commands: start it, stop it, tell of it, lead programs to it."""

import json
import math
import os
import re
import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from scones.cli.connection import CONTAINERS
from scones.cli.options import option
from scones.local import control, surroundings

commands = typer.Typer()

HOME = Path(".scones")
HomeOption = Annotated[Path, option("Folder that holds the local cloud's state.", HOME)]
LAST_PORT = 65535
_ACCOUNT = re.compile("[0-9]{12}")


@commands.command()
def up(
    home: HomeOption = HOME,
    port: Annotated[int, option("0 takes a free one.", 4566)] = 4566,
    host: Annotated[str, option("Address to listen on.", "127.0.0.1")] = "127.0.0.1",
    expose: Annotated[
        bool, typer.Option("--expose", help="Allow a host beyond this computer.")
    ] = False,
    account: Annotated[str, option("The account id in ARNs.", "000000000000")] = "000000000000",
    region: Annotated[str, option("The region in ARNs.", "us-east-1")] = "us-east-1",
    capture_window_s: Annotated[
        float | None, option("Seconds that a capture file is filled.", 60)
    ] = None,
    max_concurrent: Annotated[
        int | None, option("Lambda requests at a time; more are throttled.", 32)
    ] = None,
    whole_environment: Annotated[
        bool,
        typer.Option("--whole-environment", help="Offer functions every package installed here."),
    ] = False,
) -> None:
    """Start the local cloud in the background."""
    from scones.local.protocol import regions

    regions.check(region)
    if not 0 <= port <= LAST_PORT:
        raise ValueError(f"port is {port}; it should be 1 to {LAST_PORT}, or 0 for a free one")
    if not _ACCOUNT.fullmatch(account):
        raise ValueError(f"account is {account!r}; it should be 12 digits")
    if capture_window_s is not None and not 0 < capture_window_s < math.inf:
        raise ValueError(f"capture_window_s is {capture_window_s}; it should be above 0")
    if max_concurrent is not None and max_concurrent < 1:
        raise ValueError(f"max_concurrent is {max_concurrent}; it should be 1 or more")
    running = control.status(home)
    if running is None:
        arguments = [
            "--port", str(port), "--host", host, "--account", account, "--region", region,
            "--containers", json.dumps(CONTAINERS), *(["--expose"] if expose else []),
            *(["--capture-window-s", str(capture_window_s)] if capture_window_s else []),
            *(["--max-concurrent", str(max_concurrent)] if max_concurrent else []),
            *(["--whole-environment"] if whole_environment else []),
        ]  # fmt: skip
        running = control.start(home, arguments=arguments)
        if expose:
            typer.echo(f"WARNING: whoever reaches {host} can run code here", err=True)
        typer.echo(f"The local cloud listens on {running.url} (home: {home})")
    else:
        typer.echo(f"The local cloud runs already, on {running.url} (home: {home})")


@commands.command()
def down(home: HomeOption = HOME) -> None:
    """Stop the local cloud; its state stays."""
    stopped = control.stop(home)
    typer.echo("The local cloud is stopped." if stopped else f"No local cloud runs on {home}.")


@commands.command()
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


@commands.command()
def env(home: HomeOption = HOME) -> None:
    """Print shell lines that point AWS programs at the local cloud: eval "$(scones env)"."""
    variables = _variables(home)
    for name in surroundings.unwanted(os.environ):
        typer.echo(f"unset {name}")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@commands.command(name="exec", context_settings={"ignore_unknown_options": True})
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
