"""Tuning jobs that are running: values chosen, training jobs launched, stopped and counted.

What a tuning job did is in `resources`, so one that the cloud left unfinished goes on when the
cloud is back: training jobs that died with it count as retryable errors, and their values are
tried again first.
"""

import asyncio
import json
import logging
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from scones.local.processes import Processes
from scones.local.sagemaker import ranges
from scones.local.sagemaker.ranges import Range, Values
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.training import Training
from scones.local.sagemaker.tuning_job import KIND, TuningJob, objective, retryable

BEFORE_MODEL = 4
"""Bayesian: so many have an objective before they are believed; until then values are random."""
BEFORE_STOPPING = 4
"""Early stopping: so many earlier jobs have come as far as the one that is judged (ours)."""
SAME_AGAIN = 20
"""Draws for values that were not tried; then a small range is taken to be exhausted."""
ENDED = ("Completed", "Failed", "Stopped")

_log = logging.getLogger(__name__)


class Tuning:
    """Runs tuning jobs. What becomes of them is in `resources`."""

    def __init__(
        self, *, home: Path, processes: Processes, resources: Resources, training: Training
    ) -> None:
        self._home = home
        self._processes = processes
        self._resources = resources
        self._training = training
        self._running: dict[str, _Run] = {}

    async def __aenter__(self) -> "Tuning":
        """Go on with what an earlier cloud left unfinished."""
        for name in self._resources.with_status(KIND, "InProgress", "Stopping"):
            self.start(name)
        return self

    async def __aexit__(self, *failure: object) -> None:
        for run in self._running.values():
            run.task.cancel()
        await asyncio.gather(*(run.task for run in self._running.values()), return_exceptions=True)

    def start(self, name: str) -> None:
        """Begin a tuning job that was created, or go on with one."""
        run = _Run(TuningJob(self._resources, name))
        if run.job.about["HyperParameterTuningJobStatus"] == "Stopping":
            run.stop.set()
        run.task = asyncio.create_task(self._run(run))
        self._running[name] = run

    def stop(self, name: str) -> None:
        """Ask a tuning job to stop; Stopping at once, Stopped when its training jobs are."""
        run = self._running.get(name)
        if run is not None and not run.stop.is_set():
            run.job.enter("Stopping")
            run.stop.set()

    async def _run(self, run: "_Run") -> None:
        job = run.job
        try:
            status, reason = await self._search(run)
            await self._end_all(run)
            job.enter("Stopped" if run.stop.is_set() else status, reason)
        except Exception as error:
            _log.exception("tuning job %s", job.name)
            await self._end_all(run)
            job.enter("Failed", f"InternalServerError: {error!r}")
        self._running.pop(job.name, None)

    async def _search(self, run: "_Run") -> tuple[str, str | None]:
        """Launch until there is enough; how the tuning job ends if nobody stops it."""
        job, limits = run.job, run.job.config["ResourceLimits"]
        while not run.stop.is_set():
            summaries = job.summaries()
            verdict = job.verdict(summaries)
            if verdict is not None:
                return verdict
            if run.over(self._resources.now().timestamp()):
                break
            running = [e for e in summaries if e["TrainingJobStatus"] not in ENDED]
            if len(running) < limits["MaxParallelTrainingJobs"]:
                values = await self._choose(run, summaries)
                if values is not None:
                    self._launch(run, values)
                    continue
            if not running:
                break
            await self._wait(run, [each["TrainingJobName"] for each in running])
        summaries = job.summaries()
        judged = job.best(summaries) is not None
        return ("Completed", None) if judged or run.stop.is_set() else job.hopeless(summaries)

    def _launch(self, run: "_Run", values: Values) -> None:
        name = run.job.launch(values, self._resources.now())
        trial = run.job.trials[-1]

        def hear(metric: str, value: float) -> None:
            if metric == run.job.metric:
                trial["Series"].append(value)
                if run.job.config.get("TrainingJobEarlyStoppingType") == "Auto" and lags(
                    run.job, trial
                ):
                    self._training.stop(name)

        self._training.start(name, hear)

    async def _wait(self, run: "_Run", names: Sequence[str]) -> None:
        """Until one of the training jobs is over, or the tuning job is to stop."""
        waits: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._training.over(name)) for name in names
        ]
        waits.append(asyncio.create_task(run.stop.wait()))
        left_s = run.left_s(self._resources.now().timestamp())
        try:
            await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        run.job.keep()

    async def _end_all(self, run: "_Run") -> None:
        """Stop what still trains, and wait until it has stopped."""
        names = [
            each["TrainingJobName"]
            for each in run.job.summaries()
            if each["TrainingJobStatus"] not in ENDED
        ]
        for name in names:
            self._training.stop(name)
        await asyncio.gather(*(self._training.over(name) for name in names))

    async def _choose(self, run: "_Run", summaries: list[dict[str, Any]]) -> Values | None:
        """What to try next; None when nothing is left to be tried."""
        died = [each["TunedHyperParameters"] for each in summaries if retryable(each)]
        tried = [e["TunedHyperParameters"] for e in summaries if not retryable(e)]
        for values in died:
            if values not in tried:
                return dict(values)
        if len(tried) >= run.most:
            return None
        if run.job.config["Strategy"] == "Grid":
            return next((each for each in ranges.grid(run.ranges) if each not in tried), None)
        rng = run.dice(len(summaries))
        judged = [e for e in summaries if e["ObjectiveStatus"] == "Succeeded"]
        if run.job.config["Strategy"] == "Bayesian" and len(judged) >= BEFORE_MODEL:
            return await self._foreseen(run, summaries, rng)
        drawn = [ranges.sample(run.ranges, rng) for _ in range(SAME_AGAIN)]
        return next((values for values in drawn if values not in tried), drawn[0])

    async def _foreseen(
        self, run: "_Run", summaries: list[dict[str, Any]], rng: random.Random
    ) -> Values:
        """What `bayesian`, a program of its own, would try."""
        question = {
            "ParameterRanges": run.job.config["ParameterRanges"],
            "Seen": [
                (each["TunedHyperParameters"], run.job.worth(objective(each)))
                for each in summaries
                if each["ObjectiveStatus"] == "Succeeded"
            ],
            "Pending": [
                each["TunedHyperParameters"]
                for each in summaries
                if each["ObjectiveStatus"] == "Pending"
            ],
            "Seed": rng.getrandbits(32),
        }
        self._home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._home, suffix=".json") as file:
            json.dump(question, file)
            file.flush()
            said = await self._ask(file.name)
        values: Values = json.loads(said)
        return values

    async def _ask(self, path: str) -> str:
        # -P: a file of the user's in the working folder must not stand before a module of ours.
        command = [sys.executable, "-P", "-m", "scones.local.sagemaker.bayesian", path]
        child = await self._processes.start(command, environment={**os.environ, **_ALONE})
        try:
            said, _ = await child.communicate()
        finally:
            code = await self._processes.stop(child)
        if code != 0:
            raise RuntimeError(f"choosing values ended with status {code}: {said.decode()[-500:]}")
        return said.decode()


class _Run:
    """A tuning job at work."""

    def __init__(self, job: TuningJob) -> None:
        self.job = job
        self.ranges: list[Range] = ranges.read(job.config["ParameterRanges"])
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None]

    @property
    def most(self) -> int:
        """Training jobs that may be launched."""
        limit = self.job.config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
        return int(limit) if limit is not None else sys.maxsize

    def dice(self, throws: int) -> random.Random:
        """Random numbers for the next choice; by RandomSeed the same for the same job."""
        seed = self.job.config.get("RandomSeed")
        return random.Random(f"{self.job.arn if seed is None else seed} {throws}")

    def left_s(self, now_s: float) -> float | None:
        """Until MaxRuntimeInSeconds is over; None: it has no such limit."""
        limit_s = self.job.config["ResourceLimits"].get("MaxRuntimeInSeconds")
        if limit_s is None:
            return None
        started_s: float = self.job.about["CreationTime"].timestamp()
        return max(0.0, started_s + float(limit_s) - now_s)

    def over(self, now_s: float) -> bool:
        return self.left_s(now_s) == 0.0


_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""One thread: what computes beside it are training jobs."""


def lags(job: TuningJob, trial: dict[str, Any]) -> bool:
    """AWS's median rule: is this job's newest value worse than the median of earlier jobs' running
    averages up to the same step?
    [https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html]
    """
    steps = len(trial["Series"])
    others = [
        each["Series"][:steps]
        for each in job.trials
        if each is not trial and len(each["Series"]) >= steps
    ]
    if len(others) < BEFORE_STOPPING:
        return False
    typical = median(sum(job.worth(value) for value in series) / steps for series in others)
    return job.worth(trial["Series"][-1]) < typical
