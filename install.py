"""Make .venv and install Scones into it: `python install.py [--dev]`. Standard library only.

Says what it is about to download, and how large it is, before it does. On Linux without a GPU it
tries PyTorch's CPU index first: the ordinary package brings several GB of CUDA libraries.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tempfile
import textwrap
import urllib.error
import urllib.parse
import urllib.request
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PIP = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA = ("nvidia-", "cuda-", "triton")
"""How the packages begin that PyTorch needs for NVIDIA's GPUs only."""
PROBE_S = 4.0
SIZE_S = 8.0


def main() -> None:
    """Install; exit status 2 and the reason when this machine cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    wanted = ".[dev,sdk,notebook,tune]" if parser.parse_args().dev else "."
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        fail(f"Python {platform.python_version()} found; Scones needs 3.11, 3.12 or 3.13")
    create_venv()
    if not installed("torch") and lacks_gpu():
        install_cpu_torch()
    announce(wanted)
    fetch("--editable", wanted, "--constraint", "constraints.txt")
    say(f"installed into {VENV.relative_to(ROOT)}")


def create_venv() -> None:
    """A virtual environment with a pip that can report what it would install."""
    if PYTHON.exists() and subprocess.run([*PIP, "--version"], capture_output=True).returncode == 0:
        return
    say(f"creating .venv with Python {platform.python_version()}")
    try:
        venv.create(VENV, with_pip=True, clear=True)  # one that was cut short is made anew
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        fail("this Python cannot make a virtual environment (on Debian: apt install python3-venv)")
    pip("install", "--upgrade", "pip")


def lacks_gpu() -> bool:
    """Linux without an NVIDIA driver; elsewhere the ordinary package of torch is the CPU one."""
    return sys.platform == "linux" and not Path("/proc/driver/nvidia").exists()


def install_cpu_torch() -> None:
    """torch's CPU build from PyTorch's own index, if that can be reached."""
    requirement = pinned("torch")
    try:
        urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=PROBE_S, context=tls()).close()
    except OSError:
        say(f"PyTorch's CPU index cannot be reached: {requirement} comes as the ordinary package")
        return
    say(f"no GPU here: {requirement} as its CPU build, about 190 MB, from PyTorch's CPU index")
    code = fetch("--no-deps", requirement, "--index-url", CPU_INDEX, check=False)
    if code != 0:
        say("that did not work: the ordinary package is taken instead")


def announce(wanted: str) -> None:
    """What pip is about to fetch, and how large it is."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        pip(
            "install", "--dry-run", "--report", str(report), "--editable", wanted,
            "--constraint", "constraints.txt",
        )  # fmt: skip
        items = json.loads(report.read_text())["install"]
    urls = {item["metadata"]["name"]: item["download_info"]["url"] for item in items}
    urls.pop("scones", None)
    if not urls:
        return
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sizes = dict(zip(urls, pool.map(size_bytes, urls.values()), strict=True))
    say(download(sizes))
    if lacks_gpu():
        say(needless(sizes))


def download(sizes: dict[str, int | None]) -> str:
    """How many packages, how large in all, and the largest by name."""
    known = {name: size for name, size in sizes.items() if size is not None}
    largest = sorted(known, key=lambda name: -known[name])[:4]
    return (
        f"{len(sizes)} packages to fetch, {megabytes(known.values())} in all"
        + (f" and {len(sizes) - len(known)} of unknown size" if len(known) < len(sizes) else "")
        + (": " if largest else "")
        + ", ".join(f"{name} {megabytes([known[name]])}" for name in largest)
        + (" ..." if len(known) > len(largest) else "")
    )


def needless(sizes: dict[str, int | None]) -> str:
    """What of it only a GPU needs, and how to do without; empty where there is nothing."""
    cuda = [name for name in sizes if name.startswith(CUDA)]
    if not cuda:
        return ""
    size = megabytes(sizes[name] or 0 for name in cuda)
    return (
        f"{len(cuda)} of these, {size}, are CUDA libraries: "
        f"PyTorch's ordinary package for Python {platform.python_version()} brings them, and "
        f"without an NVIDIA GPU nothing uses them. To do without, press Ctrl-C, put the CPU build "
        f"of {pinned('torch')} into {VENV.name} ({VENV.name}/bin/pip install, from {CPU_INDEX}, a "
        "mirror of it, or a wheel file), and give the same command again."
    )


def megabytes(sizes: Iterable[int]) -> str:
    return f"{sum(sizes) / 1e6:.0f} MB"


def size_bytes(url: str) -> int | None:
    """How large the file behind a URL is; None when nobody says."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file":
        return Path(urllib.request.url2pathname(parts.path)).stat().st_size
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=SIZE_S, context=tls()) as answer:
            length = answer.headers["Content-Length"]
    except OSError:
        return None
    return int(length) if length else None


def tls() -> ssl.SSLContext:
    """The certificates that pip was told to trust, or the system's."""
    return ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))


def pinned(name: str) -> str:
    """The line of constraints.txt for a package: `torch==2.13.0`."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def installed(name: str) -> bool:
    """Whether .venv holds a package."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([PYTHON, "-c", code], check=False).returncode == 0


def fetch(*arguments: str, check: bool = True) -> int:
    """`pip install`, shown as one moving line on a terminal; in its own words when it fails."""
    command = [*PIP, "install", "--progress-bar", "raw", *arguments]
    words: collections.deque[str] = collections.deque(maxlen=40)
    file = ""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            match line.split():
                case ["Progress", done, "of", total] if total != "0":
                    show(f"fetching {file} {100 * int(done) // int(total)} %")
                    continue
                case ["Downloading", name, *_]:
                    file = name.rpartition("/")[2].split("-")[0]
                    show(f"fetching {file}")
                case ["Installing", *_]:
                    show("installing")
            words.append(line)
    show("")
    if process.returncode != 0:
        sys.stderr.writelines(words)
    return checked(process.returncode, check)


def pip(*arguments: str) -> None:
    """Run pip of .venv without a word unless it fails."""
    checked(subprocess.run([*PIP, "-qq", *arguments], cwd=ROOT, check=False).returncode)


def checked(code: int, check: bool = True) -> int:
    """pip's exit status; stop when it failed and that matters."""
    if check and code != 0:
        fail("pip failed (its message is above)")
    return code


def show(line: str) -> None:
    """The moving line."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{line[:78]}")
        sys.stdout.flush()


def say(words: str) -> None:
    """Tell the person who waits, in lines of a terminal's width."""
    if words:
        sys.stdout.write(filled(words))
        sys.stdout.flush()


def fail(words: str) -> None:
    """What is wrong, and exit status 2."""
    sys.stderr.write(filled(words))
    sys.exit(2)


def filled(words: str) -> str:
    return textwrap.fill(
        f"scones: {words}", 80, subsequent_indent=" " * 8,
        break_on_hyphens=False, break_long_words=False,
    ) + "\n"  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        show("")
        sys.stderr.write("scones: interrupted; the same command goes on from here\n")
        sys.exit(130)
