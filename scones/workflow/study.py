"""Tuning by Optuna: every trial is cross-validated, a training job a fold, and may be broken off.

Values are chosen by TPE, and a trial whose mean so far is worse than the median of earlier ones at
the same fold is pruned: folds are the same for all, so that compares like with like. (Epochs of one
fit would not: learning rates that peak higher start worse.) The study is a SQLite file under the
home; broken off in whatever way, the same command goes on, with the folds that were done.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from scones.clients import Clients
from scones.workflow.folds import Fold, put_folds
from scones.workflow.progress import Step, Steps, silent
from scones.workflow.search import Choice, Space, Span
from scones.workflow.staged import Staged
from scones.workflow.train import JobError, attend, follow, stamp
from scones.workflow.tune import (
    COMPLETE,
    FAILED,
    OPTUNA,
    PRUNED,
    Trial,
    Tuned,
    Tuning,
    fold_request,
    mean,
)

RANDOM_TRIALS = 6
"""Before TPE has enough to go by."""
UNPRUNED_TRIALS = 4
"""That are complete before any is pruned."""
GIVE_UP_AFTER = 3
"""Trials that failed, where none was complete."""
STATES = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}


def tune(clients: Clients, staged: Staged, tuning: Tuning, steps: Steps = silent) -> Tuned:
    """Try until the study has `tuning.trials` trials; ValueError where another process does.

    Raises JobError where every trial fails.
    """
    folds = put_folds(clients, staged, tuning.folds)
    name = tuning.identity(clients, staged)
    folder = clients.settings.home / "tune" / name
    with alone(folder), steps("tune") as step:
        study = _Study(folder / "study.sqlite", tuning, clients.settings.seed)
        try:
            study.take_up()
            step.total(max(tuning.trials, len(study.trials)) * tuning.folds)
            step.advance(len(study.trials) * tuning.folds)
            while len(study.trials) < tuning.trials:
                _try(clients, staged, study, folds, step)
            trials, importance = tuple(study.trials), study.importance()
        finally:
            study.close()
    judged = sum(fold.num_judged for fold in folds)
    return Tuned(tuning, trials, OPTUNA, name, judged, importance)


def _try(clients: Clients, staged: Staged, study: "_Study", folds: list[Fold], step: Step) -> None:
    """One trial, fold by fold."""
    trial = study.ask()
    number, done = len(study.trials) + 1, list(trial.user_attrs.get("folds", []))
    values = study.values(trial.params)
    step.advance(len(done))
    for place in range(len(done)):  # of before it was broken off
        trial.report(mean(done[: place + 1], folds), place)
    for place in range(len(done), len(folds)):
        words = _Words(step, f"trial {number}, fold {place + 1} of {len(folds)}{study.so_far()}")
        answer = _begun(clients, trial, place, words)
        if answer is None:
            job = f"tune-{stamp(clients.clock())}-{number}-{place + 1}"
            trial.set_user_attr("job", [place, job])
            asked = fold_request(clients, staged, job, folds[place], values)
            answer, _ = follow(clients, asked, words)
        value = _judged(answer, study.tuning.metric)
        if isinstance(value, str):
            step.advance(len(folds) - place)
            return study.fail(trial, value)
        done.append(value)
        trial.set_user_attr("folds", done)
        step.advance()
        trial.report(mean(done, folds), place)
        if trial.should_prune() and place + 1 < len(folds):
            step.advance(len(folds) - place - 1)
            return study.prune(trial)
    return study.complete(trial, mean(done, folds))


def _begun(clients: Clients, trial: optuna.Trial, place: int, step: Step) -> dict[str, Any] | None:
    """The fold's job from before the search was broken off, if that ended well or still may."""
    its_place, job = trial.user_attrs.get("job", (None, None))
    if its_place != place:
        return None
    try:
        answer, _ = attend(clients, job, step)
    except clients.sagemaker.exceptions.ClientError as error:
        if "not found" not in str(error):  # it was never begun
            raise
        return None
    return answer if answer["TrainingJobStatus"] == "Completed" else None


def _judged(answer: dict[str, Any], metric: str) -> float | str:
    """What a fold's job came to, or why it came to nothing."""
    job, status = answer["TrainingJobName"], answer["TrainingJobStatus"]
    metrics = {each["MetricName"]: each["Value"] for each in answer.get("FinalMetricDataList", [])}
    if status != "Completed":
        return f"training job {job}: {answer.get('FailureReason', status)}"
    return float(metrics[metric]) if metric in metrics else f"training job {job} told no {metric}"


class _Words(Step):
    """A fold's job within the bar of the whole search: only words pass."""

    def __init__(self, step: Step, told: str) -> None:
        self._step, self._told = step, told
        step.say(told)

    def say(self, words: str) -> None:
        self._step.say(f"{self._told}: {words}")


class _Study:
    """Optuna's study, as far as it is ours."""

    def __init__(self, path: Path, tuning: Tuning, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.tuning, self._seed = tuning, seed
        self._distributions = distributions(tuning.space)
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{path.as_posix()}")
        self._study = optuna.create_study(
            storage=self._storage,
            study_name="scones",
            load_if_exists=True,
            direction="maximize" if tuning.maximizes else "minimize",
            pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS),
        )

    @property
    def trials(self) -> list[Trial]:
        """Those that are over; one that was broken off and taken up again counts once."""
        over = [
            each
            for each in self._study.get_trials(deepcopy=False, states=tuple(STATES))
            if "taken_up" not in each.user_attrs
        ]
        return [
            _trial(number, each, self.values(each.params)) for number, each in enumerate(over, 1)
        ]

    def take_up(self) -> None:
        """Have a trial that was broken off tried again first, with the folds that it has."""
        for each in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if each.params.keys() == self._distributions.keys():
                self._study.enqueue_trial(each.params, user_attrs=dict(each.user_attrs))
            self._storage.set_trial_user_attr(each._trial_id, "taken_up", True)
            self._study.tell(each.number, state=TrialState.FAIL)

    def ask(self) -> optuna.Trial:
        """What to try next: by the trials so far and the seed, however often it was broken off."""
        seed = (self._seed * 1_000_003 + len(self.trials)) % 2**32
        self._study.sampler = (
            optuna.samplers.RandomSampler(seed)
            if self.tuning.strategy == "random"
            else optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=seed)
        )
        return self._study.ask(self._distributions)

    def values(self, params: dict[str, Any]) -> dict[str, str]:
        """Parameters as a training job is told them."""
        return {
            each.name: each.text(params[each.name]) if isinstance(each, Span) else params[each.name]
            for each in self.tuning.space
            if each.name in params
        }

    def so_far(self) -> str:
        tuned = Tuned(self.tuning, tuple(self.trials), OPTUNA, "", 0)
        best = tuned.best
        return "" if best is None or best.value is None else f", best {best.value:.4f}"

    def complete(self, trial: optuna.Trial, value: float) -> None:
        self._study.tell(trial, value)

    def prune(self, trial: optuna.Trial) -> None:
        self._study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: optuna.Trial, reason: str) -> None:
        """Keep the reason; JobError where all that was tried failed."""
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=TrialState.FAIL)
        trials = self.trials
        if len(trials) >= GIVE_UP_AFTER and all(each.state == FAILED for each in trials):
            raise JobError(f"all {len(trials)} trials failed, the last with: {reason}")

    def importance(self) -> dict[str, float]:
        """Of each hyperparameter by PED-ANOVA; empty where there is too little to go by."""
        complete = [each for each in self.trials if each.state == COMPLETE]
        if len(complete) <= RANDOM_TRIALS or len({each.value for each in complete}) < 2:
            return {}
        found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        return {name: round(float(share), 3) for name, share in found.items()}

    def close(self) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space as Optuna's."""
    return {each.name: _distribution(each) for each in space}


def _distribution(each: Span | Choice) -> BaseDistribution:
    if isinstance(each, Choice):
        return CategoricalDistribution(each.values)
    if each.whole:
        return IntDistribution(int(each.low), int(each.high), log=each.logarithmic)
    return FloatDistribution(each.low, each.high, log=each.logarithmic)


def _trial(number: int, each: Any, values: dict[str, str]) -> Trial:
    """One of Optuna's trials as ours."""
    so_far = each.value if each.state == TrialState.COMPLETE else None
    if each.state == TrialState.PRUNED and each.intermediate_values:
        so_far = each.intermediate_values[max(each.intermediate_values)]
    return Trial(
        number, values, STATES[each.state], so_far, tuple(each.user_attrs.get("folds", ())),
        each.user_attrs.get("reason"),
    )  # fmt: skip


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else goes on with the study in `folder` meanwhile.

    SQLite's own lock: it is gone when its holder is, however that died, on every system.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(folder / "lock.sqlite", timeout=0, isolation_level=None)
    except (OSError, sqlite3.OperationalError) as error:
        raise ValueError(f"home: {str(folder)!r} cannot be written ({error})") from error
    try:
        try:
            lock.execute("begin exclusive")
        except sqlite3.OperationalError as error:
            raise ValueError(
                f"another `scones tune` goes on with the same search ({folder}); wait for it"
            ) from error
        yield
    finally:
        lock.close()
