"""What tests share: the folder of real data beside the checkout, and a running local cloud."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real pictures, captures and conformance cases; the test skips without it."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared (real pictures and recorded cases), which is absent")
    return folder
