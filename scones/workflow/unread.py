"""Captures of which no line could be read: what is said instead of verdicts on nothing."""

import string

from scones.monitor.capture import read_records
from scones.monitor.columns import Columns
from scones.workflow.files import legible
from scones.workflow.subject import CLASSES, Subject


def refuse_unread(about: Subject, known: Columns) -> None:
    """ValueError where lines were captured since the model's start, and none could be read.

    Lines of a model before, which may have had other classes, are none of this one's.
    """
    if (known.at_N >= about.since_s).any():
        return
    reasons = {fault.source: fault for fault in reversed(known.faults)}
    for name, content in about.files.read(sorted(reasons)):
        records, bad = read_records(content, name, pictures=False)
        numbers = [
            len(r.probabilities) for r in records if r.inferred_at.timestamp() >= about.since_s
        ]
        if CLASSES in about.assumed and numbers and numbers[0] > 1:
            raise ValueError(
                f"the captures hold {numbers[0]} probabilities a record; name the classes with "
                f"--classes {_letters(numbers[0])}"
            )
        if numbers or bad:
            place, first = legible(about.files.place), legible(str(reasons[name]))
            raise ValueError(f"no line at {place} could be read; the first: {first}")


def _letters(number: int) -> str:
    """a,b,c of three; of very many, how they begin."""
    told = list(string.ascii_lowercase[:number])
    return ",".join(told if number == len(told) else [*told[:3], "..."])
