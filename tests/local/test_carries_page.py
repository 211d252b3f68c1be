"""The page "what the local cloud carries" is true."""

from pathlib import Path

from scones.local.carries import page


def test_the_committed_page_is_what_the_code_carries() -> None:
    committed = Path(__file__).resolve().parents[2] / "docs" / "carries.md"
    assert committed.read_text() == page(), "run: python -m scones.local.carries > docs/carries.md"
