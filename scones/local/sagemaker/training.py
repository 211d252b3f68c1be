"""Training jobs that are running: channels down, a child process, the model up."""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.sagemaker import job as words
from scones.local.sagemaker.containers import Containers, environment
from scones.local.sagemaker.job import KIND, MAX_REASON, Job
from scones.local.sagemaker.logstream import Logs, LogStream
from scones.local.sagemaker.opt_ml import CHECKPOINTS, OptMl
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.transfer import Objects, download, files, pack, upload

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
STOP_GRACE_S = 120.0
"""From SIGTERM to SIGKILL, as on AWS (StopTrainingJob)."""
LAST_LINES_S = 5.0
"""That a process which left its group may hold the output open after the child's end."""
CHECKPOINT_EVERY_S = 10.0
AT_ONCE = 2
"""Jobs that run at a time on one computer; the next ones wait, "Pending"."""
DEATH = "InternalServerError: the local cloud was stopped while the training job was running"

_log = logging.getLogger(__name__)


class Training:
    """Runs jobs. What becomes of them is in `resources`."""

    def __init__(
        self,
        *,
        home: Path,
        identity: Identity,
        s3: Objects,
        logs: Logs,
        processes: Processes,
        containers: Containers,
        resources: Resources,
        clock: Callable[[], float],
        stop_grace_s: float = STOP_GRACE_S,
        at_once: int = AT_ONCE,
    ) -> None:
        self._home = home
        self._identity = identity
        self._s3 = s3
        self._logs = logs
        self._processes = processes
        self._containers = containers
        self._resources = resources
        self._clock = clock
        self._stop_grace_s = stop_grace_s
        self._room = asyncio.Semaphore(at_once)
        self._running: dict[str, _Run] = {}

    async def __aenter__(self) -> "Training":
        """Fail what an earlier cloud left unfinished, its checkpoints saved."""
        for name in self._resources.with_status(KIND, "InProgress", "Stopping"):
            await self._bury(Job(self._resources, name))
        await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)
        return self

    async def __aexit__(self, *failure: object) -> None:
        runs = list(self._running.values())
        for run in runs:
            run.task.cancel()
        await asyncio.gather(*(run.task for run in runs), return_exceptions=True)
        for run in runs:
            if not run.job.ended:
                await self._bury(run.job)

    def start(self, name: str, hear: Callable[[str, float], None] | None = None) -> None:
        """Begin a job that was created; `hear` gets each value of a metric, as it is logged."""
        job = Job(self._resources, name, hear)
        run = _Run(job, OptMl(self._home / name))
        run.task = asyncio.create_task(self._run(run))
        self._running[name] = run

    def stop(self, name: str) -> None:
        """Ask a job to stop; it is Stopping at once and Stopped when its child is gone."""
        run = self._running.get(name)
        if run is not None and not run.stop.is_set():
            run.job.enter("Stopping", words.STOPPING, "Stopping")
            run.stop.set()

    async def over(self, name: str) -> None:
        """Return once a job has ended."""
        run = self._running.get(name)
        if run is not None:
            await asyncio.wait([run.task])

    async def _run(self, run: "_Run") -> None:
        job = run.job
        try:
            job.enter("Starting", words.STARTING)
            if self._room.locked():
                job.enter("Pending", words.PENDING)
            if await self._admitted(run):
                try:
                    await self._train(run)
                finally:
                    self._room.release()
        except (ServiceError, ValueError, OSError) as error:
            job.end("Failed", words.FAILED, f"ClientError: {error}")
        except Exception as error:
            _log.exception("training job %s", job.name)
            job.end("Failed", words.FAILED, f"InternalServerError: {error!r}")
        self._running.pop(job.name, None)
        await asyncio.to_thread(shutil.rmtree, run.place.base, ignore_errors=True)

    async def _admitted(self, run: "_Run") -> bool:
        """Wait for room; False if the job was stopped before there was any."""
        entering = asyncio.create_task(self._room.acquire())
        stopping = asyncio.create_task(run.stop.wait())
        try:
            await asyncio.wait([entering, stopping], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            entering.cancel()
            raise
        finally:
            stopping.cancel()
        if entering.done():
            return True
        entering.cancel()
        run.job.end("Stopped", words.STOPPED)
        return False

    async def _train(self, run: "_Run") -> None:
        job, place = run.job, run.place
        job.enter("Downloading", words.DOWNLOADING)
        await asyncio.to_thread(self._prepare, job.about, place)
        if run.stop.is_set():
            job.end("Stopped", words.STOPPED)
            return
        job.enter("Training", words.TRAINING)
        stream = f"{job.name}/algo-1-{int(self._clock())}"
        log = LogStream(self._logs, LOG_GROUP, stream, self._clock)
        saving = asyncio.create_task(self._save_often(run))
        try:
            code, how = await self._attend(run, log)
        finally:
            saving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await saving
        await asyncio.to_thread(self._save_checkpoints, run)
        if how == "Completed" and code != 0:
            job.end("Failed", words.FAILED, _reason(place, log, code))
            return
        job.enter("Uploading", words.UPLOADING)
        await asyncio.to_thread(self._deliver, job.about, place)
        job.end(how, _END[how])

    def _prepare(self, about: dict[str, Any], place: OptMl) -> None:
        shutil.rmtree(place.base, ignore_errors=True)
        place.lay_out(about)
        for channel in about.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            if not download(self._s3, uri, place.channel(channel["ChannelName"])):
                raise ValueError(f"Data download failed: no S3 objects found under S3 URL {uri!r}")
        if "CheckpointConfig" in about:
            config = about["CheckpointConfig"]
            folder = place.local(config.get("LocalPath", CHECKPOINTS))
            download(self._s3, config["S3Uri"].rstrip("/") + "/", folder)

    async def _attend(self, run: "_Run", log: LogStream) -> tuple[int, str]:
        """Run the child to its end; its exit code, and Completed, Stopped or MaxRuntimeExceeded."""
        specification = run.job.about["AlgorithmSpecification"]
        command = self._containers.command(specification["TrainingImage"], "train")
        child = await self._processes.start(
            command, environment=self._environment(run), folder=run.place.base
        )
        assert child.stdout is not None, "children speak through a pipe"
        listening = asyncio.create_task(log.follow(child.stdout, run.job.measure))
        limit_s = run.job.about["StoppingCondition"]["MaxRuntimeInSeconds"]
        waits = [asyncio.create_task(child.wait()), asyncio.create_task(run.stop.wait())]
        try:
            done, _ = await asyncio.wait(
                waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            how = "MaxRuntimeExceeded" if not done else "Completed"
            if run.stop.is_set():
                how = "Stopped"
            grace_s = 0.0 if child.returncode is not None else self._stop_grace_s
            code = await self._processes.stop(child, grace_s)
            await asyncio.wait([listening], timeout=LAST_LINES_S)
            return code, how
        finally:
            for wait in waits:
                wait.cancel()
            listening.cancel()
            if child.returncode is None:
                await self._processes.stop(child)

    def _environment(self, run: "_Run") -> dict[str, str]:
        about = run.job.about
        own = {
            "SAGEMAKER_BASE_DIR": str(run.place.base),
            "TRAINING_JOB_NAME": run.job.name,
            "TRAINING_JOB_ARN": about["TrainingJobArn"],
        }
        return environment(self._identity, {**about.get("Environment", {}), **own})

    async def _save_often(self, run: "_Run") -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_EVERY_S)
            await asyncio.to_thread(self._save_checkpoints, run)

    def _save_checkpoints(self, run: "_Run") -> None:
        """Bring what changed in the checkpoint folder to S3."""
        config = run.job.about.get("CheckpointConfig")
        if config is None:
            return
        folder = run.place.local(config.get("LocalPath", CHECKPOINTS))
        for path in files(folder):
            with contextlib.suppress(FileNotFoundError):  # replaced by the container meanwhile
                seen = (path.stat().st_size, path.stat().st_mtime_ns)
                if run.saved.get(path) != seen:
                    name = path.relative_to(folder).as_posix()
                    upload(self._s3, path, f"{config['S3Uri'].rstrip('/')}/{name}")
                    run.saved[path] = seen

    def _deliver(self, about: dict[str, Any], place: OptMl) -> None:
        """The model, and what else the container put out, as archives in S3."""
        target = about["ModelArtifacts"]["S3ModelArtifacts"]
        with tempfile.TemporaryDirectory(dir=place.base) as folder:
            for source, uri in ((place.model, target), (place.output, _beside(target))):
                if files(source):
                    archive = Path(folder, "archive.tar.gz")
                    pack(source, archive)
                    upload(self._s3, archive, uri)

    async def _bury(self, job: Job) -> None:
        """A job whose child died with its cloud."""
        place = OptMl(self._home / job.name)
        try:
            await asyncio.to_thread(self._save_checkpoints, _Run(job, place))
        except ServiceError as error:
            _log.warning("checkpoints of %s are lost: %s", job.name, error)
        job.end("Failed", words.FAILED, DEATH)


class _Run:
    """A job at work."""

    def __init__(self, job: Job, place: OptMl) -> None:
        self.job = job
        self.place = place
        self.stop = asyncio.Event()
        self.saved: dict[Path, tuple[int, int]] = {}
        self.task: asyncio.Task[None]


_END = {
    "Completed": words.COMPLETED,
    "Stopped": words.STOPPED,
    "MaxRuntimeExceeded": words.MAX_RUNTIME,
}


def _beside(uri: str) -> str:
    return uri.rpartition("/")[0] + "/output.tar.gz"


def _reason(place: OptMl, log: LogStream, code: int) -> str:
    said = place.failure or log.last_words
    tail = f", exit code: {code if code >= 0 else 128 - code}"  # as a container tells a signal
    room = MAX_REASON - len("AlgorithmError: ") - len(tail)
    said = said[:room] if place.failure else said[-room:]
    return f"AlgorithmError: {said}{tail}"
