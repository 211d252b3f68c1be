"""docs/tuning.md names every option of `scones tune`, every default range, and what is searched."""

from pathlib import Path

import typer.main

from scones.cli import app
from scones.workflow.search import DEFAULT, NAMED, REAL, WHOLE

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "tuning.md").read_text("utf-8")
EVERYWHERE = {
    "--profile", "--seed", "--home", "--report-dir", "--target", "--role", "--region", "--bucket",
}  # fmt: skip
"""Options that other commands have as well."""


def test_the_page_names_options_ranges_and_hyperparameters() -> None:
    tune = typer.main.get_command(app).commands["tune"]  # type: ignore[attr-defined]
    options = {option.opts[0] for option in tune.params} - EVERYWHERE
    for word in (*options, *DEFAULT, *WHOLE, *REAL, *NAMED):
        assert f"`{word}" in PAGE, word
