"""A message for each change of a verdict: to standard output, a webhook, an SNS topic."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from scones.clients import Clients
from scones.monitor.sentences import ALARMS, Verdict
from scones.monitor.verdict import Findings, changes

WEBHOOK_TIMEOUT_S = 10.0
LONGEST_SUBJECT = 100
"""Characters that SNS takes: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""


@dataclass(frozen=True)
class Change:
    """A verdict that is another than the last time."""

    before: str | None
    """Its state then; None where it was not asked before."""
    verdict: Verdict

    def move(self) -> str:
        """about: before -> now"""
        came = f"{self.before} -> " if self.before else ""
        return f"{self.verdict.about}: {came}{self.verdict.state}"

    def line(self) -> str:
        """about: before -> now. The sentence."""
        return f"{self.move()}. {self.verdict.sentence}"


def changed(before: Mapping[str, str], findings: Findings) -> list[Change]:
    """What is worth a message: verdicts of another state; the first time only alarms."""
    return [
        Change(before.get(verdict.about), verdict)
        for verdict in changes(before, findings)
        if verdict.about in before or verdict.alarm
    ]


def to_webhook(url: str) -> Callable[[str, Sequence[Change], float], None]:
    """Posts the changes as JSON; ValueError where the webhook does not take them."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"webhook is {url!r}; it should begin with http:// or https://")

    def send(place: str, found: Sequence[Change], now_s: float) -> None:
        try:
            answer = requests.post(
                url, json=message(place, found, now_s), timeout=WEBHOOK_TIMEOUT_S
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise ValueError(
                f"webhook is {url!r}, which did not take the message: {_why(error)}"
            ) from error

    return send


def _why(error: requests.RequestException) -> str:
    """In a few words: "Connection refused", "it answered 404 Not Found"."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answered {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.Timeout):
        return f"no answer within {WEBHOOK_TIMEOUT_S:.0f} s"
    innermost: BaseException = error  # requests and urllib3 wrap it several times
    while (cause := innermost.__cause__ or innermost.__context__) is not None:
        innermost = cause
    return str(getattr(innermost, "strerror", None) or innermost)


def to_topic(clients: Clients, arn: str) -> Callable[[str, Sequence[Change], float], None]:
    """Publishes the changes to an SNS topic."""
    if not arn.startswith("arn:"):
        raise ValueError(f"topic is {arn!r}; it should be an SNS topic's ARN")
    topics = clients.other("sns")

    def send(place: str, found: Sequence[Change], now_s: float) -> None:
        about = ", ".join(f"{each.verdict.about} {each.verdict.state}" for each in found)
        topics.publish(
            TopicArn=arn,
            Subject=f"scones: {about}"[:LONGEST_SUBJECT],
            Message=json.dumps(message(place, found, now_s), indent=2),
        )

    return send


def message(place: str, found: Sequence[Change], now_s: float) -> dict[str, Any]:
    """The changes as JSON, for programs; `text` holds them for people, and for chat services."""
    return {
        "text": "\n".join(each.line() for each in found),
        "place": place,
        "at": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds"),
        "changes": [{"before": each.before, **asdict(each.verdict)} for each in found],
    }


def named(text: str | None) -> set[str]:
    """The alarms in `--fail-on`'s text; ValueError for one that there is not."""
    wanted = {each.strip() for each in (text or "").split(",") if each.strip()}
    unknown = sorted(wanted - set(ALARMS))
    if unknown:
        raise ValueError(f"--fail-on is {unknown[0]!r}; it should be among {', '.join(ALARMS)}")
    return wanted
