"""Simulate: a stream of test pictures at a rate and a mix, if wanted under changed light or mix.

Truth is known, so it is written as ground truth under the inference ids. Pictures that were changed
go into the bucket, with a note of which test picture each was made from: whoever learns from such a
picture must not be examined on the other.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from scones.clients import Clients, CloudError
from scones.images import png
from scones.images.manifest import Entry
from scones.images.weather import CHANGES
from scones.workflow.classify import execute
from scones.workflow.deploy import last_deployment, wait_in_service
from scones.workflow.progress import Steps, silent
from scones.workflow.staged import TEST, Staged
from scones.workflow.train import stamp
from scones.workflow.truth import JSON_LINES, put_truth

LABEL_SHIFT = "label-shift"
DRIFTS = (*CHANGES, LABEL_SHIFT)
SHIFTED = 0.9
"""Share of the first class after a label shift, or of the others if it had that much before."""
SIMULATED = "simulated/"


@dataclass(frozen=True)
class Plan:
    """What the stream is like."""

    count: int = 1000
    balance: float | None = None
    """Share of the first class before a label shift; the others share the rest evenly. None: half.
    """
    rate: float | None = None
    """Requests a second; None: as fast as `parallel` of them go."""
    drift: str | None = None
    """One of DRIFTS."""
    after: int = 0
    """How many requests come before the drift."""
    straight: bool = False
    """To the endpoint itself instead of through the machine."""

    def __post_init__(self) -> None:
        for right, name, value, should in (
            (self.count >= 1, "count", self.count, "1 or more"),
            (0 <= self.share <= 1, "balance", self.balance, "0 to 1, the first class's share"),
            (self.rate is None or self.rate > 0, "rate", self.rate, "above 0, such as 5/s"),
            (self.drift in (None, *DRIFTS), "drift", self.drift, f"one of {', '.join(DRIFTS)}"),
            (self.after >= 0, "after", self.after, "0 or more"),
            (self.after == 0 or self.drift, "after", self.after, "given with a drift, or not"),
            (
                self.drift is None or self.after < self.count, "after", self.after,
                f"below the count, {self.count}, or nothing comes under the drift",
            ),
            (
                self.balance is None or self.after or self.drift != LABEL_SHIFT,
                "balance", self.balance,
                f"left out: without requests before it (after), {LABEL_SHIFT} says the mix",
            ),
        ):  # fmt: skip
            if not right:
                raise ValueError(f"{name} is {value!r}; it should be {should}")

    @property
    def share(self) -> float:
        """The first class's, before a label shift."""
        return 0.5 if self.balance is None else self.balance


@dataclass(frozen=True)
class Request:
    """One picture on its way."""

    name: str
    """The execution's name, or the InferenceId."""
    entry: Entry
    """The picture that is sent."""
    origin: str
    """Key of the staged test picture that it is or was made from."""
    changed: bytes | None
    """The picture's bytes where they are not as staged."""


@dataclass(frozen=True)
class Simulated:
    """A stream that is over."""

    run: str
    ended: Counter[str]
    """How many requests ended how: "succeeded", an error's name, or "answered"."""
    truth_uri: str | None
    seconds: float

    def sentence(self) -> str:
        told = ", ".join(f"{count} {how}" for how, count in self.ended.most_common())
        rate = self.ended.total() / self.seconds if self.seconds else 0.0
        return f"{self.ended.total():,} requests ({told}) in {self.seconds:.1f} s, {rate:.3g}/s"


def simulate(clients: Clients, staged: Staged, plan: Plan, steps: Steps = silent) -> Simulated:
    """Send the stream and wait until it is over.

    A request that ends with an error of the service counts as that error. Interrupted, it stops
    sending, and writes the truth of what was sent.
    """
    deployment = last_deployment(clients)
    classes = staged.facts.classes
    if classes != deployment.classes:
        raise ValueError(
            f"staged are {', '.join(classes)}, and the model knows {', '.join(deployment.classes)};"
            " run `scones train` and `scones deploy`, or stage the model's classes"
        )
    run = stamp(clients.clock())
    send = _to_endpoint(clients) if plan.straight else _to_machine(clients)
    sent: list[Request] = []
    ended: Counter[str] = Counter()
    with steps("simulate") as step:
        wait_in_service(clients, deployment.endpoint_config, step)
        requests = _requests(clients, staged, plan, run)
        step.total(plan.count)
        started = clients.clock()
        try:
            for how in _paced(clients, plan, _noted(requests, sent), send):
                ended[how] += 1
                step.say(", ".join(f"{n} {each}" for each, n in sorted(ended.items())))
                step.advance()
        finally:
            seconds = clients.clock() - started
            uri = put_truth(clients, {each.name: each.entry.label for each in sent}, run)
            _put_origins(clients, run, [each for each in sent if each.changed is not None])
    return Simulated(run, ended, uri, seconds)


def draw(
    entries: Sequence[Entry], num_classes: int, plan: Plan, random: Random
) -> Iterator[tuple[Entry, bool]]:
    """Pictures and whether each comes under the drift; classes by chance, in the plan's mix.

    Within a class no picture comes twice before all have come. Raises ValueError when a class that
    is wanted has no picture.
    """
    decks: dict[int, list[Entry]] = {label: [] for label in range(num_classes)}
    for place in range(plan.count):
        drifted = plan.drift is not None and place >= plan.after
        share = plan.share
        if drifted and plan.drift == LABEL_SHIFT:
            share = SHIFTED if plan.share < SHIFTED else 1 - SHIFTED
        label = 0 if random.random() < share else 1 + random.randrange(num_classes - 1)
        if not decks[label]:
            decks[label] = [each for each in entries if each.label == label]
            random.shuffle(decks[label])
        if not decks[label]:
            raise ValueError(f"no test picture has label {label}; run `scones stage` again")
        yield decks[label].pop(), drifted


def origins(clients: Clients) -> dict[str, str]:
    """Key of the staged picture from which each changed one was made, by the latter's SHA-256."""
    found: dict[str, str] = {}
    pages = clients.s3.get_paginator("list_objects_v2").paginate(
        Bucket=clients.bucket, Prefix=SIMULATED
    )
    for page in pages:
        for each in page.get("Contents", []):
            if each["Key"].endswith(".jsonl"):
                body = clients.s3.get_object(Bucket=clients.bucket, Key=each["Key"])["Body"].read()
                lines = [json.loads(line) for line in body.splitlines()]
                found |= {line["sha256"]: line["origin"] for line in lines}
    return found


def _requests(clients: Clients, staged: Staged, plan: Plan, run: str) -> Iterator[Request]:
    random = Random(clients.settings.seed)
    change = CHANGES.get(plan.drift or "")
    drawn = draw(staged.split(TEST), len(staged.facts.classes), plan, random)
    for place, (entry, drifted) in enumerate(drawn):
        name = f"{run}-{place:06d}"
        if change is None or not drifted:
            yield Request(name, entry, entry.key, None)
            continue
        changed = change(png.decode(_read(clients, entry.key)))
        kind = "jpg" if plan.drift == "jpeg" else "png"
        sha = hashlib.sha256(changed).hexdigest()
        moved = Entry(f"{SIMULATED}{run}/{place:06d}.{kind}", entry.label, "simulated", sha)
        yield Request(name, moved, entry.key, changed)


def _noted(requests: Iterator[Request], sent: list[Request]) -> Iterator[Request]:
    for each in requests:
        sent.append(each)
        yield each


def _paced(
    clients: Clients, plan: Plan, requests: Iterator[Request], send: Callable[[Request], str]
) -> Iterator[str]:
    """How each request ended, as they end: at the plan's rate, or `parallel` at a time."""
    parallel, start = clients.settings.parallel, clients.clock()
    under_way: set[Future[str]] = set()
    with ThreadPoolExecutor(parallel) as pool:
        try:
            for place, request in enumerate(requests):
                if plan.rate is not None:
                    clients.sleep(max(0.0, start + place / plan.rate - clients.clock()))
                under_way.add(pool.submit(send, request))
                over = wait(
                    under_way, None if len(under_way) >= 2 * parallel else 0, FIRST_COMPLETED
                )
                under_way = over.not_done
                yield from (each.result() for each in over.done)
            yield from (each.result() for each in under_way)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _to_machine(clients: Clients) -> Callable[[Request], str]:
    def send(request: Request) -> str:
        if request.changed is not None:
            clients.s3.put_object(
                Bucket=clients.bucket, Key=request.entry.key, Body=request.changed
            )
        outcome = execute(clients, request.entry, request.name)
        return outcome.error or outcome.status.lower()

    return send


def _to_endpoint(clients: Clients) -> Callable[[Request], str]:
    runtime = clients.other("sagemaker-runtime")

    def send(request: Request) -> str:
        picture = request.changed or _read(clients, request.entry.key)
        kind = "image/jpeg" if request.entry.key.endswith(".jpg") else "image/png"
        try:
            runtime.invoke_endpoint(
                EndpointName=clients.settings.endpoint, ContentType=kind, Body=picture,
                InferenceId=request.name,
            )["Body"].read()  # fmt: skip
        except CloudError as error:
            return type(error).__name__
        return "answered"

    return send


def _put_origins(clients: Clients, run: str, changed: Sequence[Request]) -> None:
    if changed:
        lines = (
            json.dumps({"origin": each.origin, **asdict(each.entry)}) + "\n" for each in changed
        )
        clients.s3.put_object(
            Bucket=clients.bucket, Key=f"{SIMULATED}{run}.jsonl", Body="".join(lines).encode(),
            ContentType=JSON_LINES,
        )  # fmt: skip


def _read(clients: Clients, key: str) -> bytes:
    body: Any = clients.s3.get_object(Bucket=clients.bucket, Key=key)["Body"]
    content: bytes = body.read()
    return content
