"""Review: the captured pictures that would teach most, labelled in the terminal, kept as truth."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from scones.clients import Clients
from scones.monitor.capture import Record
from scones.monitor.monitor_page import confidently_wrong, least_confident
from scones.monitor.windows import UNKNOWN
from scones.workflow.kept import cache_of
from scones.workflow.progress import Steps, silent
from scones.workflow.subject import MANIFEST, Question, subject
from scones.workflow.train import stamp
from scones.workflow.truth import REVIEW, put_truth, reviewed
from scones.workflow.watch import look_at, shown_at

DISAGREEING = 3
"""One of so many candidates at most is there because its label disagrees."""
DRAWN = 32
"""Columns of a picture in the terminal; two pixels stand in one character, over one another."""
SKIP, QUIT = "", "q"


@dataclass(frozen=True)
class Candidate:
    """A picture that is worth a person's look."""

    record: Record
    why: str
    """"unconfident", or "disagrees" where a label says otherwise than a confident call."""
    truth: int | None

    @property
    def id(self) -> str:
        """What its truth is filed under: the inference id, else the event id."""
        return self.record.inference_id or self.record.event_id

    @property
    def called(self) -> int:
        return self.record.probabilities.index(max(self.record.probabilities))

    def line(self, class_names: Sequence[str]) -> str:
        """One line of a list."""
        truth = "" if self.truth is None else f", labelled {class_names[self.truth]}"
        return (
            f"{_printable(self.id)}  {class_names[self.called]} "
            f"{100 * max(self.record.probabilities):.1f} %  {self.why}{truth}"
        )


@dataclass(frozen=True)
class Listed:
    """What there is to review."""

    class_names: tuple[str, ...]
    candidates: tuple[Candidate, ...]


def candidates(clients: Clients, count: int, steps: Steps = silent) -> Listed:
    """Different pictures of the deployed model, at most `count`: a few whose label
    disagrees with a confident call, then those without a label, the least confident first.

    A staged picture has its label from the manifest; what a simulation knows does not count, and
    what a person has labelled does not come again.
    """
    if count < 1:
        raise ValueError(f"count is {count}; it should be 1 or more")
    with steps("review") as step:
        about = subject(clients, clients.settings, Question(truth=MANIFEST))
        labels = reviewed(clients, about.class_names)
        clients.flush()
        cache = cache_of(clients.settings.home, about.files.place, len(about.class_names), True)
        known, measured = cache.read(about.files, len(about.class_names), clients.clock(), step)
        look = look_at(replace(about, labels=labels), known, measured)
        by_people = look_at(replace(about, labels=labels, by_picture={}), known, measured)
        # A label is of one answer, so those of a batch cannot take one.
        new = (by_people.window.truth_N == UNKNOWN) & ~known.batched[look.rows]
        once = by_people.once(by_people.window)
        if once is not None:
            new &= once
        wrong = confidently_wrong(look.window, about.threshold, new, count // DISAGREEING)
        unlabelled = new & (look.window.truth_N == UNKNOWN)
        doubted = least_confident(look.window, unlabelled, count - len(wrong))
        shown = shown_at(about.files, look, [*wrong, *doubted])
    whys = ["disagrees"] * len(wrong) + ["unconfident"] * len(doubted)
    found = [Candidate(each.record, why, each.truth) for each, why in zip(shown, whys, strict=True)]
    return Listed(about.class_names, tuple(each for each in found if each.record.picture))


def label(
    clients: Clients,
    listed: Listed,
    ask: Callable[[Candidate, str], str],
    tell: Callable[[str], None],
) -> tuple[int, str | None]:
    """Ask about each candidate until the answer is `q` or there are no more; keep the labels.

    `ask` gets the candidate and the choices in words; an empty answer skips. Answers how many were
    labelled, and where their truth lies. Interrupted, what was labelled is kept.
    """
    truth: dict[str, int] = {}
    named, count = choices(listed.class_names), len(listed.candidates)
    try:
        for place, candidate in enumerate(listed.candidates, start=1):
            words = f"{place} of {count} ({named})"
            answer = ask(candidate, words).strip().lower()
            while answer not in (SKIP, QUIT) and chosen(answer, listed.class_names) is None:
                tell(f"{answer!r} is none of these")
                answer = ask(candidate, words).strip().lower()
            if answer == QUIT:
                break
            meant = chosen(answer, listed.class_names)
            if meant is not None:
                truth[candidate.id] = meant
    finally:
        uri = put_truth(clients, truth, f"{REVIEW}{stamp(clients.clock())}")
    return len(truth), uri


def choices(class_names: Sequence[str]) -> str:
    """1 bicycle, 2 motorcycle, Enter skips, q ends."""
    named = [f"{place} {name}" for place, name in enumerate(class_names, start=1)]
    return ", ".join([*named, "Enter skips", "q ends"])


def chosen(answer: str, class_names: Sequence[str]) -> int | None:
    """The class that an answer means: its number from 1, its name, or a beginning of only one."""
    if answer.isdecimal():
        place = int(answer) - 1
        return place if 0 <= place < len(class_names) else None
    if answer in class_names:
        return list(class_names).index(answer)
    fitting = [k for k, name in enumerate(class_names) if answer and name.startswith(answer)]
    return fitting[0] if len(fitting) == 1 else None


def drawn(picture: bytes) -> str:
    """The picture for a terminal with 24-bit colour; a sentence where it cannot be drawn."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.thumbnail((DRAWN, DRAWN))
            pixels = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        return f"(no picture that can be shown: {error})"
    lines = []
    for y in range(0, pixels.height - 1, 2):
        cells = []
        for x in range(pixels.width):
            upper, lower = _rgb(pixels, x, y), _rgb(pixels, x, y + 1)
            cells.append(f"\x1b[38;2;{upper}m\x1b[48;2;{lower}m\N{UPPER HALF BLOCK}")
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """A caller's text without what a terminal would obey."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def _rgb(pixels: Image.Image, x: int, y: int) -> str:
    value = pixels.getpixel((x, y))
    assert isinstance(value, tuple), "RGB pixels are tuples"
    return ";".join(str(int(part)) for part in value)
