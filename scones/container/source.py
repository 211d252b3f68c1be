"""The user's own code for script mode: fetched, unpacked, and given what it requires.

On AWS the framework images do this (sagemaker-training, sagemaker-inference). A container is an
AWS client of its own here: it may read S3.
"""

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3


def unpack(place: str, base: Path, folder: Path) -> Path:
    """Where the code of a sagemaker_submit_directory lies, in `folder` if it had to be unpacked.

    `place` is an archive in S3, or an archive or folder under /opt/ml, for which `base` stands.
    """
    if place.startswith("s3://"):
        parts = urlsplit(place)
        with tempfile.TemporaryFile() as archive:
            boto3.client("s3").download_fileobj(parts.netloc, parts.path.lstrip("/"), archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as opened:
                opened.extractall(folder, filter="data")
        return folder
    path = local(place, base)
    if path.is_file():
        with tarfile.open(path) as opened:
            opened.extractall(folder, filter="data")
        return folder
    if not path.is_dir():
        raise ValueError(f"sagemaker_submit_directory is {place}; there is nothing there")
    return path


def local(place: str, base: Path) -> Path:
    """A path of the container on this computer."""
    inside = place.removeprefix("/opt/ml/")
    return base / inside if inside != place else Path(place)


def interpreter(code: Path, base: Path) -> str:
    """A Python that has what the code's requirements.txt names beside what we have ourselves.

    Only what is missing is installed, into an environment that goes with the job's folder. Raises
    ValueError with pip's last words.
    """
    requirements = code / "requirements.txt"
    if not requirements.is_file():
        return sys.executable
    environment = base / "environment"
    _run([sys.executable, "-m", "venv", str(environment)])
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    ours = sysconfig.get_paths()["purelib"]
    Path(paths["purelib"], "ours.pth").write_text(ours + "\n", "utf-8")
    _run([str(python), "-m", "pip", "install", "-q", "-r", str(requirements)])
    return str(python)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-700:]
        raise ValueError(f"InstallRequirementsError: {' '.join(command)}: {words}")
