"""A million captured records to hourly figures, beside DuckDB and pandas.

Each contestant is a process of its own, started cold: its whole wall time and its largest memory
are told. All must find the same records, hours and mean confidence.
"""

import base64
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import table

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv" / "readers"
REQUIREMENTS = ("duckdb==2.0.0", "pandas==3.1.1")
ROUNDS = 3

OURS = """
import sys
from pathlib import Path
from scones.monitor.capture import capture_files
from scones.monitor.columns import empty, load, save, update
from scones.monitor.spans import spans
folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
known = empty(2)
if cache.exists():
    with cache.open("rb") as stream:
        known = load(stream)
read = set(known.files)
paths = [(str(path), path) for path in capture_files(folder)]
columns = update(known, ((n, path.read_bytes()) for n, path in paths if n not in read))
if columns is not known:
    with cache.open("wb") as stream:
        save(columns, stream)
hours = spans(columns.window(("a", "b")), 3600, 0.8)
print(len(columns), len(hours.start_S), f"{(hours.mean_S * hours.count_S).sum():.4f}")
"""

DUCKDB = """
import sys, duckdb
print(*duckdb.sql(f'''
    with read as (
        select (json->>'$.eventMetadata.inferenceTime')::timestamp as inferred,
               from_json(json->>'$.captureData.endpointOutput.data', '["DOUBLE"]') as p
        from read_ndjson_objects('{sys.argv[1]}/**/*.jsonl')
    ), hours as (
        select date_trunc('hour', inferred) as hour, count(*) as n, sum(greatest(p[1], p[2])) as s,
               count_if(p[1] >= p[2]) as first, count_if(greatest(p[1], p[2]) >= 0.8) as accepted
        from read group by hour
    ) select sum(n)::int, count(*), printf('%.4f', sum(s)) from hours''').fetchall()[0])
"""

PANDAS = """
import json, sys
from pathlib import Path
import pandas as pd
parts = []
for path in Path(sys.argv[1]).rglob("*.jsonl"):
    lines = pd.read_json(path, lines=True)
    p = [json.loads(each["endpointOutput"]["data"]) for each in lines["captureData"]]
    part = pd.DataFrame(p, columns=["a", "b"])
    part["at"] = pd.to_datetime([each["inferenceTime"] for each in lines["eventMetadata"]])
    parts.append(part)
whole = pd.concat(parts)
whole["confidence"] = whole[["a", "b"]].max(axis=1)
hours = whole.groupby(whole["at"].dt.floor("h"))["confidence"].agg(["count", "sum"])
print(len(whole), len(hours), f"{hours['sum'].sum():.4f}")
"""


def main() -> None:
    """Both sets of captures, in turn: many records a file, and many files with pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        for title, records, files, picture_bytes in (
            ("1,000,000 records in 5,000 files", 1_000_000, 5_000, 6),
            ("100,000 records with pictures in 10,000 files", 100_000, 10_000, 2_500),
        ):
            folder = Path(temporary) / str(files)
            write(folder, records, files, picture_bytes)
            compare(title, folder)


def write(folder: Path, records: int, files: int, picture_bytes: int) -> None:
    """Capture files as an endpoint writes them, one record every 2.5 s; seeded."""
    rng, at = random.Random(0), datetime(2026, 1, 1, tzinfo=UTC)
    pictures = [base64.b64encode(rng.randbytes(picture_bytes)).decode() for _ in range(50)]
    for number in range(files):
        path = folder / f"AllTraffic/{at:%Y/%m/%d/%H}/{at:%M-%S}-000-{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = []
        for _ in range(records // files):
            at += timedelta(seconds=2.5)
            lines.append(_line(rng, pictures[rng.randrange(50)], at))
        path.write_text("".join(lines))


def compare(title: str, folder: Path) -> None:
    """One set of captures, read by everybody; the answers must agree."""
    cache = folder.parent / "cache"
    answers: set[str] = set()

    def contestant(python: Path, program: str, *, cold: bool = False) -> Callable[[], float]:
        def run() -> float:
            if cold:
                cache.unlink(missing_ok=True)
            seconds, answer = measured(python, program, folder, cache)
            answers.add(answer)
            return seconds

        return run

    ours, theirs = Path(sys.executable), readers()
    figures = table.alternate(
        {
            "duckdb": contestant(theirs, DUCKDB),
            "scones": contestant(ours, OURS, cold=True),
            "scones, nothing new": contestant(ours, OURS),
            "interpreter and imports": contestant(ours, OURS.partition("folder, cache")[0]),
        },
        ROUNDS,
    )
    figures["pandas"] = [contestant(theirs, PANDAS)()]
    answers.discard("")
    assert len(answers) == 1, f"the readers do not agree: {answers}"
    table.show(f"{title}: whole process", "s", figures, "duckdb")
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    table.say(f"  largest memory of any child so far: {peak_kib / 1024:.0f} MiB")
    table.say(f"  scones: {peak(ours, folder, cache):.0f} MiB")


def measured(python: Path, program: str, folder: Path, cache: Path) -> tuple[float, str]:
    """Seconds that a process took, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [python, "-c", program, folder, cache],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    # DuckDB draws its progress on stdout before the answer.
    return time.perf_counter() - start, (done.stdout.splitlines() or [""])[-1].strip()


def peak(python: Path, folder: Path, cache: Path) -> float:
    """MiB that our reader held at most, from nothing known."""
    cache.unlink(missing_ok=True)
    process = subprocess.Popen(
        [python, "-c", OURS, folder, cache], stdout=subprocess.DEVNULL, cwd=ROOT
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_maxrss / 1024


def readers() -> Path:
    """The Python with the readers we are measured by, in an environment made at the first call."""
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", *REQUIREMENTS], check=True)
    return python


def _line(rng: random.Random, picture: str, at: datetime) -> str:
    p = rng.random()
    captured = {
        "endpointInput": {
            "observedContentType": "image/png", "mode": "INPUT", "data": picture,
            "encoding": "BASE64",
        },
        "endpointOutput": {
            "observedContentType": "application/json", "mode": "OUTPUT",
            "data": f"[{p}, {1 - p}]", "encoding": "JSON",
        },
    }  # fmt: skip
    event = {
        "eventId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }
    whole = {"captureData": captured, "eventMetadata": event, "eventVersion": "0"}
    return json.dumps(whole, separators=(",", ":")) + "\n"
