"""A million captured records to hourly figures, beside DuckDB and pandas.

Each contestant is a process of its own, started anew for each turn: its whole wall time is told,
interpreter and imports included. All must find the same records, hours and sum of confidences.
`python -m bench captures.pictures` runs one part.
"""

import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import table

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv" / "readers"
REQUIREMENTS = ("duckdb==2.0.0", "pandas==3.1.1")
ROUNDS = 7
END = "import atexit, gc; atexit.register(gc.freeze)\n"
"""As `scones` does, and whom it is measured by: no search for cycles when all is done (30 ms)."""
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
"""numpy's threads, for which nobody here has work, would else spin beside who works (40 ms)."""

OURS = """
import sys
from pathlib import Path
from scones.workflow.files import Folder
from scones.workflow.readers import reading
files, cache, known, there = Folder(Path(sys.argv[1])), Path(sys.argv[2]), None, set()
if cache.exists():
    from scones.monitor.kept_columns import load
    with cache.open("rb") as stream:
        known = load(stream)
    there = set(known.files)
    assert not files.changed(known.files, cache.stat().st_mtime_ns)
new = [name for name in files.names((), 0.0) if name not in there]
with reading(files.path, new, 2) as bulks:
    from scones.monitor.columns import empty, grow
    from scones.monitor.kept_columns import save
    from scones.monitor.spans import spans
    if new:
        known = grow(empty(2) if known is None else known, new, bulks, files.content)
        with cache.open("wb") as stream:
            save(known, stream)
hours = spans(known.window(("a", "b")), 3600, 0.8)
print(len(known), len(hours.start_S), f"{(hours.mean_S * hours.count_S).sum():.4f}")
"""
"""What `scones monitor FOLDER --no-pictures` does to read, keep and count.

The files are being read while numpy is imported; the command itself reads when it has more than
that imported, and so by new processes instead of copies.
"""
IMPORTS = """
from scones.workflow.files import Folder
from scones.workflow.readers import reading
from scones.monitor.columns import empty, grow
from scones.monitor.kept_columns import save
from scones.monitor.spans import spans
"""

DUCKDB = """
import sys, duckdb
duckdb.sql("set enable_progress_bar = false")
print(*duckdb.sql(f'''
    with lines as (
        select json_extract_string(json, ['$.eventMetadata.eventId',
            '$.eventMetadata.inferenceTime', '$.captureData.endpointOutput.data']) as part
        from read_ndjson_objects('{sys.argv[1]}/**/*.jsonl')
    ), read as (
        select {sys.argv[3]} part[2]::timestamp as inferred, part[3]::double[] as p from lines
    ), hours as (
        select date_trunc('hour', inferred) as hour, count(*) as n, sum(greatest(p[1], p[2])) as s,
               count_if(p[1] >= p[2]) as first, count_if(greatest(p[1], p[2]) >= 0.8) as accepted
        from read group by hour
    ) select sum(n)::int, count(*), printf('%.4f', sum(s)) from hours''').fetchall()[0])
"""
"""Its quickest form of six that were tried: all three members out of one parse of the line."""
ONCE = "distinct on (part[1])"

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
    part["event"] = [each["eventId"] for each in lines["eventMetadata"]]
    parts.append(part)
whole = pd.concat(parts).drop_duplicates("event")
whole["confidence"] = whole[["a", "b"]].max(axis=1)
hours = whole.groupby(whole["at"].dt.floor("h"))["confidence"].agg(["count", "sum"])
print(len(whole), len(hours), f"{hours['sum'].sum():.4f}")
"""


@dataclass(frozen=True)
class Captures:
    """A set of captures that is written and read."""

    title: str
    records: int
    files: int
    picture_bytes: int


PARTS = {
    "records": Captures("1,000,000 records in 5,000 files", 1_000_000, 5_000, 6),
    "pictures": Captures("100,000 records with pictures in 10,000 files", 100_000, 10_000, 2_500),
}
TWICE = 1000
"""One line of so many is delivered twice, as SageMaker may: it counts once."""


def main(part: str | None = None) -> None:
    """Both sets of captures in turn, many records a file and many files with pictures, or one."""
    with tempfile.TemporaryDirectory() as temporary:
        for captures in PARTS.values() if part is None else [PARTS[part]]:
            folder = Path(temporary) / str(captures.files)
            write(folder, captures.records, captures.files, captures.picture_bytes)
            compare(captures.title, folder)


def write(folder: Path, records: int, files: int, picture_bytes: int) -> None:
    """Capture files as an endpoint writes them, one record every 2.5 s; seeded."""
    rng, at = random.Random(0), datetime(2026, 1, 1, tzinfo=UTC)
    pictures = [base64.b64encode(rng.randbytes(picture_bytes)).decode() for _ in range(50)]
    for number in range(files):
        path = folder / f"AllTraffic/{at:%Y/%m/%d/%H}/{at:%M-%S}-000-{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = []
        for place in range(number * records // files, (number + 1) * records // files):
            if place % TWICE != 1:
                at += timedelta(seconds=2.5)
                line = _line(rng, pictures[rng.randrange(50)], at)
            lines.append(line)
        path.write_text("".join(lines))


def compare(title: str, folder: Path) -> None:
    """One set of captures, read by everybody; the answers must agree."""
    cache = folder.parent / "cache"
    answers: set[str] = set()

    def contestant(
        python: Path, program: str, *words: str, cold: bool = False, judged: bool = True
    ) -> Callable[[], float]:
        def run() -> float:
            if cold:
                cache.unlink(missing_ok=True)
            seconds, answer = measured(python, program, folder, cache, *words)
            answers.update([answer] if judged else [])
            return seconds

        return run

    ours, theirs = Path(sys.executable), readers()
    figures = table.alternate(
        {
            "duckdb": contestant(theirs, DUCKDB, ONCE),
            "duckdb, repeats count twice": contestant(theirs, DUCKDB, "", judged=False),
            "scones": contestant(ours, OURS, cold=True),
            "scones, nothing new": contestant(ours, OURS),
            "scones, imports alone": contestant(ours, IMPORTS, judged=False),
            "duckdb, import alone": contestant(theirs, "import duckdb", judged=False),
        },
        ROUNDS,
    )  # fmt: skip
    figures["pandas"] = [contestant(theirs, PANDAS)()]
    assert len(answers) == 1, f"the readers do not agree: {answers}"
    table.show(f"{title}: whole process", "s", figures, "duckdb", digits=2)
    table.say(f"  scones, largest memory: {peak(ours, folder, cache):.0f} MiB")


def measured(
    python: Path, program: str, folder: Path, cache: Path, *words: str
) -> tuple[float, str]:
    """Seconds that a process took, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [python, "-c", END + program, folder, cache, *words],
        check=True, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT,
    )  # fmt: skip
    return time.perf_counter() - start, done.stdout.strip()


def peak(python: Path, folder: Path, cache: Path) -> float:
    """MiB that our first process held at most, from nothing known; the other holds less."""
    cache.unlink(missing_ok=True)
    process = subprocess.Popen(
        [python, "-c", END + OURS, folder, cache],
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        env=ENVIRONMENT,
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
