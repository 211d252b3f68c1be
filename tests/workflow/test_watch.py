"""The monitor over folders and S3: what it says, what it reads again, what it sends."""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from scones.gate.heldout import HeldOut, weigh
from scones.images import png
from scones.monitor.labels import write_truth
from scones.settings import Settings
from scones.workflow.alarm import Change, named, to_webhook
from scones.workflow.files import Folder, Prefix, open_files
from scones.workflow.kept import cache_of
from scones.workflow.progress import Step
from scones.workflow.subject import Question, period
from scones.workflow.watch import Watched, tell, watch

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def line(place: int, first: float, picture: bytes | None = None) -> bytes:
    """One captured request, a second after the one before."""
    at = (START + timedelta(seconds=place)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = {"mode": "OUTPUT", "encoding": "JSON", "data": json.dumps([first, 1 - first])}
    captured: dict[str, Any] = {"endpointOutput": answer}
    if picture is not None:
        captured["endpointInput"] = {
            "observedContentType": "image/png", "mode": "INPUT", "encoding": "BASE64",
            "data": base64.b64encode(picture).decode(),
        }  # fmt: skip
    metadata = {"eventId": f"event-{place}", "inferenceId": f"run-{place}", "inferenceTime": at}
    told = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(told).encode() + b"\n"


@dataclass
class World:
    """A folder of captures, one of truth, a home and a report's folder."""

    folder: Path
    sent: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(home=self.folder / "home", report_dir=self.folder / "report")

    def capture(self, name: str, lines: Sequence[bytes]) -> None:
        path = self.folder / "captures" / "AllTraffic" / "2026/11/20/09" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(lines))

    def label(self, truth: dict[str, int]) -> None:
        path = self.folder / "truth" / "labels.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(write_truth(truth))

    def watch(self, truth: bool = False, **asked: Any) -> Watched:
        places = str(self.folder / "truth") if truth else None
        question = Question(str(self.folder / "captures"), places, **asked)
        seen = watch(None, self.settings, question, clock=START.timestamp)
        tell(seen, {"note": self.note})
        return seen

    def note(self, place: str, changes: Sequence[Change], now_s: float) -> None:
        self.sent += [f"{each.before} -> {each.verdict.state}" for each in changes]

    def sent_by(self, seen: Watched, address: str = "note") -> list[str]:
        """What is sent to an address after a look."""
        self.sent.clear()
        tell(seen, {address: self.note})
        return [*self.sent]

    def json(self, name: str) -> Any:
        return json.loads((self.folder / "report" / "monitor" / name).read_text())


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "captures").mkdir()
    return World(tmp_path)


def test_the_briefs_twelve_are_suggestive_and_too_few(world: World) -> None:
    world.capture("a.jsonl", [line(i, 0.95) for i in range(10)])
    world.capture("b.jsonl", [line(i, 0.4) for i in (10, 11)])
    seen = world.watch()
    balance = seen.findings.balance
    assert balance.verdict == "suggestive, under-powered"
    [test] = balance.tests
    assert test.fisher_p == pytest.approx(0.0152, abs=5e-5)
    assert test.p == pytest.approx(0.0090, abs=5e-5)
    share, low, high = balance.shares[0]
    assert (share, low, high) == pytest.approx((10 / 12, 0.552, 0.953), abs=5e-4)
    said = next(each.sentence for each in seen.findings.verdicts if each.about == "bias")
    assert "would find a gap: 186 for 20 points" in said
    assert world.json("monitor.json")["balance"]["verdict"] == "suggestive, under-powered"


def test_a_model_with_a_planted_bias_is_called_biased(world: World) -> None:
    random = np.random.default_rng(0)
    truth = random.permutation(np.arange(1000) % 2)
    z = random.normal(np.where(truth == 0, 2.5, -2.5), 1.5) + 1.2
    chances = 1 / (1 + np.exp(-z))
    world.capture("a.jsonl", [line(i, float(p)) for i, p in enumerate(chances)])
    world.label({f"run-{i}": int(label) for i, label in enumerate(truth)})
    seen = world.watch(truth=True)
    assert (seen.findings.balance.verdict, seen.findings.balance.favoured) == (
        "biased", "bicycle",
    )  # fmt: skip
    assert seen.findings.alarms == ("biased",)
    assert world.sent == ["None -> biased"]
    assert world.json("model_quality_statistics.json")["dataset"]["item_count"] == 1000


def test_a_message_goes_out_for_a_change_and_not_for_a_run(world: World) -> None:
    random = np.random.default_rng(0)
    usual, low = random.uniform(0.9, 0.98, 300), random.uniform(0.5, 0.56, 200)
    world.capture("a.jsonl", [line(i, p) for i, p in enumerate(usual.tolist())])
    world.watch()
    world.watch()
    assert world.sent == []
    world.capture("b.jsonl", [line(300 + i, p) for i, p in enumerate(low.tolist())])
    world.watch()
    world.watch()
    # Since the drift was shown no picture has passed the gate.
    assert world.sent == ["nothing to compare with -> drift", "estimated -> unknown"]
    violations = world.json("constraint_violations.json")["violations"]
    assert [each["constraint_check_type"] for each in violations] == ["baseline_drift_check"]


def test_an_address_is_told_once_and_one_that_fails_again(world: World) -> None:
    world.capture("a.jsonl", [line(i, 0.9 if i < 300 else 0.55) for i in range(500)])
    seen = world.watch()
    refuses = to_webhook("http://127.0.0.1:9/")
    for _ in range(2):
        with pytest.raises(ValueError, match="which did not take the message"):
            tell(seen, {"first": world.note, "refuses": refuses, "last": world.note})
    assert world.sent == ["None -> drift"] * 3  # to "note", "first" and "last"
    with pytest.raises(ValueError, match=r"127\.0\.0\.1.*; .*127\.0\.0\.1"):
        tell(seen, {"refuses": refuses, "refuses too": refuses})
    assert world.sent_by(seen, "refuses") == ["None -> drift"]
    assert world.sent_by(seen, "refuses") == []


def test_an_address_is_told_where_a_topic_fails(world: World) -> None:
    world.capture("a.jsonl", [line(i, 0.9 if i < 300 else 0.55) for i in range(500)])

    def topic(place: str, changes: Sequence[Change], now_s: float) -> None:
        raise ClientError({"Error": {"Code": "NotFound", "Message": "no topic"}}, "Publish")

    seen = world.watch()
    world.sent.clear()
    with pytest.raises(ClientError, match="no topic"):
        tell(seen, {"topic": topic, "hook": world.note})
    assert world.sent == ["None -> drift"]
    assert world.sent_by(seen, "hook") == []


def test_a_change_is_not_lost_by_who_is_killed_before_it_is_sent(world: World) -> None:
    world.capture("a.jsonl", [line(i, 0.9 if i < 300 else 0.55) for i in range(500)])

    def killed(place: str, changes: Sequence[Change], now_s: float) -> None:
        raise KeyboardInterrupt

    seen = world.watch()
    with pytest.raises(KeyboardInterrupt):
        tell(seen, {"first": world.note, "second": killed, "third": world.note})
    told = {each: world.sent_by(seen, each) for each in ("first", "second", "third")}
    assert told == {"first": [], "second": ["None -> drift"], "third": ["None -> drift"]}


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    """A webhook on the loopback, and what it got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", got
        server.shutdown()
        thread.join()


def test_a_webhook_gets_the_change_as_json(world: World, hook: tuple[str, list[Any]]) -> None:
    world.capture("a.jsonl", [line(i, 0.9 if i < 300 else 0.55) for i in range(500)])
    url, got = hook
    seen = watch(None, world.settings, Question(str(world.folder / "captures")))
    for _ in range(2):
        tell(seen, {url: to_webhook(url)})
    [message] = got
    assert message["changes"][-1]["alarm"] == "drift"
    assert "The confidences have drifted" in message["text"]
    assert message["place"] == str(world.folder / "captures")


def test_only_new_files_are_read(world: World) -> None:
    read: list[str] = []

    class Counted(Folder):
        def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
            read.extend(names)
            return super().read(names)

    files = Counted(world.folder / "captures")
    cache = cache_of(world.folder / "home", files.place, 2, True)

    def count() -> int:
        read.clear()
        time.sleep(0.02)  # what is written just before a look may still be being written
        return len(cache.read(files, 2, START.timestamp(), Step())[0])

    world.capture("a.jsonl", [line(0, 0.9), b"rubbish\n"])
    world.capture("b.jsonl", [line(1, 0.9)])
    assert (count(), len(read)) == (2, 2)
    assert (count(), len(read)) == (2, 0)
    world.capture("c.jsonl", [line(1, 0.9), line(2, 0.9)])
    assert (count(), read) == (3, ["AllTraffic/2026/11/20/09/c.jsonl"])
    (cache.folder / "columns.msgpack").write_bytes(b"broken")
    assert (count(), len(read)) == (3, 3)
    (world.folder / "captures/AllTraffic/2026/11/20/09/c.jsonl").unlink()
    assert (count(), len(read)) == (2, 2)


def test_what_another_version_kept_is_read_anew(world: World) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    world.capture("a.jsonl", [line(i, 0.9, png.encode(each)) for i, each in enumerate(noise)])
    before = world.watch()
    path = before.cache.folder / "columns.msgpack"
    kept = path.read_bytes()
    place = 9  # of the version, behind a length of eight bytes and the mark of a list
    path.write_bytes(kept[:place] + bytes([kept[place] + 1]) + kept[place + 1 :])
    after = world.watch()
    assert path.read_bytes() == kept
    assert (len(after.sheet.window), after.sheet.measures) == (4, before.sheet.measures)


def test_what_cannot_be_read_is_told_with_its_place(world: World) -> None:
    world.capture("a.jsonl", [line(0, 0.9), b"{\n", line(1, float("nan"))])
    seen = world.watch()
    assert len(seen.sheet.window) == 1
    assert [(fault.source[-7:], fault.line) for fault in seen.sheet.faults] == [
        ("a.jsonl", 2), ("a.jsonl", 3),
    ]  # fmt: skip
    assert world.json("monitor.json")["unreadable"] == 2


@pytest.mark.parametrize("pictures", [True, False])
def test_names_that_are_no_text_are_read_kept_and_shown(tmp_path: Path, pictures: bool) -> None:
    try:
        (tmp_path / os.fsdecode(b"w\xff") / "captures").mkdir(parents=True)
    except OSError:
        pytest.skip("needs a file system that takes any bytes as a name")
    world = World(tmp_path / os.fsdecode(b"w\xff"))
    world.capture(os.fsdecode(b"bad\xfe.jsonl"), [line(0, 0.9), b"rubbish\n"])
    for _ in range(2):  # the second time from what is kept
        seen = world.watch(pictures=pictures)
        assert len(seen.sheet.window) == 1
        told = world.json("monitor.json")
        assert told["place"].endswith("/w\\udcff/captures")
        assert told["faults"][0].split(": ")[0].endswith("/09/bad\\udcfe.jsonl:2")
        assert "bad\\udcfe.jsonl:2" in seen.page.read_text("utf-8")


def test_a_folder_that_cannot_be_listed_is_named(world: World) -> None:
    world.capture("a.jsonl", [line(0, 0.9)])
    deep = os.open(world.folder / "captures", os.O_RDONLY)
    for _ in range(20):  # longer than any path may be, which keeps root out as well
        os.mkdir("d" * 250, dir_fd=deep)
        deep, before = os.open("d" * 250, os.O_RDONLY, dir_fd=deep), deep
        os.close(before)
    os.close(deep)
    with pytest.raises(
        ValueError, match=r"^folder '.*/captures/d+/.*' cannot be listed: File name"
    ):
        world.watch()
    assert not (world.folder / "report").exists()


def test_a_picture_that_comes_again_counts_once(world: World) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    pictures = [png.encode(each) for each in noise]
    world.capture("a.jsonl", [line(i, 0.9, pictures[i % 4]) for i in range(40)])
    world.label({f"run-{i}": 0 for i in range(40)})
    seen = world.watch(truth=True)
    assert (len(seen.sheet.window), seen.sheet.num_pictures) == (40, 4)
    assert seen.findings.balance.num_labels == 4
    assert (seen.findings.counted.n, seen.findings.estimated.n) == (4, 4)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_records_have_their_answer(world: World, count: int) -> None:
    world.capture("a.jsonl", [line(i, (1.0, 0.0)[i % 2]) for i in range(count)])
    world.label({"run-0": 1})
    seen = world.watch(truth=True)
    assert len(seen.sheet.window) == count
    assert seen.findings.alarms == ()
    assert world.json("monitor.json")["records"] == count


def test_a_chosen_period_is_the_baseline(world: World) -> None:
    world.capture("a.jsonl", [line(i, 0.97 - 0.001 * (i % 30)) for i in range(300)])
    world.capture("b.jsonl", [line(3600 + i, 0.70 - 0.001 * (i % 30)) for i in range(200)])
    seen = world.watch(baseline="2026-11-20T09:00/2026-11-20T09:30")
    assert len(seen.sheet.window) == 200
    assert seen.findings.confidence.drifted
    assert not world.watch(baseline="2026-11-20T10:00/2026-11-20T10:01").findings.confidence.drifted


def test_a_certificate_is_active_until_drift_suspends_it(world: World) -> None:
    names, random = ("bicycle", "motorcycle"), np.random.default_rng(0)

    def logits(n: int, sharp: float = 1.0) -> tuple[Any, Any]:
        labels = (np.arange(n) % 2).astype(np.int64)
        z = sharp * random.normal(np.where(labels == 1, 5.0, -5.0), 3.0)
        return np.stack([-z / 2, z / 2], axis=1), labels

    raw, labels = logits(400)
    gate = weigh(HeldOut(names, raw, labels, ("",) * 400))
    card = world.folder / "card.json"
    card.write_text(json.dumps({"gate": gate.to_json()}))
    threshold = gate.overall.threshold
    assert threshold is not None
    states = []
    for place, sharp in enumerate((1.0, 0.3)):
        chances = gate.calibration(logits(300, sharp)[0])[:, 0].tolist()
        lines = [line(300 * place + i, p) for i, p in enumerate(chances)]
        world.capture(f"{place}.jsonl", lines)
        seen = world.watch(baseline=str(card), threshold=threshold)
        states.append((seen.findings.verdicts[0].state, seen.findings.alarms))
    assert states == [("active", ()), ("suspended", ("suspended", "drift"))]
    assert world.sent[:1] == ["active -> suspended"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"baseline": "absent.json"}, "baseline 'absent.json' cannot be read"),
        ({"baseline": "2026-13-01/2026-11-02"}, "it should be a file, or a period"),
        ({"baseline": "2026-11-02/2026-11-01"}, "its end should come after its start"),
        ({"baseline": "2020-01-01/2020-01-02"}, "a period without a record"),
        ({"threshold": 1.5}, r"threshold is 1\.5; it should be above 0"),
    ],
)
def test_a_wrong_question_is_refused(world: World, asked: dict[str, Any], said: str) -> None:
    world.capture("a.jsonl", [line(0, 0.9)])
    with pytest.raises(ValueError, match=said):
        world.watch(**asked)
    assert not (world.folder / "report").exists()


def test_an_absent_folder_an_unknown_alarm_and_a_wrong_webhook_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        watch(None, world.settings, Question(str(world.folder / "nowhere")))
    with pytest.raises(
        ValueError, match="--fail-on is 'bias'; it should be among suspended, biased"
    ):
        named("drift,bias")
    with pytest.raises(ValueError, match="should begin with http"):
        to_webhook("ftp://x")
    assert named(" drift, biased ") == {"drift", "biased"}
    assert named(None) == set()


def test_a_period_without_a_zone_is_utc() -> None:
    assert period("2026-11-20T09:00/2026-11-20T11:00+01:00").end_s == START.timestamp() + 3600


def test_the_33_real_records_are_read_and_drawn(shared: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", report_dir=tmp_path / "report")
    seen = watch(None, settings, Question(str(shared / "data" / "sagemaker-captures")))
    assert (len(seen.sheet.window), seen.sheet.num_pictures, seen.sheet.faults) == (33, 30, ())
    page = seen.page.read_text()
    assert page.count("data:image/") >= 12
    assert (tmp_path / "report" / "monitor" / "confidence.png").stat().st_size > 10_000


def test_a_prefix_lists_only_the_last_hours_again(client: Callable[..., Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="captures")

    def put(hour: int, name: str, variant: str = "AllTraffic") -> None:
        key = f"data/scones/{variant}/2026/11/20/{hour:02}/{name}.jsonl"
        s3.put_object(Bucket="captures", Key=key, Body=b"")

    for hour in (3, 8, 9):
        put(hour, "a")
    files = open_files("s3://captures/data/scones", s3)
    assert isinstance(files, Prefix)
    known = files.names((), START.timestamp())
    assert [name[-10:] for name in known] == ["03/a.jsonl", "08/a.jsonl", "09/a.jsonl"]
    for hour, variant in ((4, "AllTraffic"), (7, "AllTraffic"), (9, "Shadow")):
        put(hour, "b", variant)
    again = files.names(known, START.timestamp())
    assert [name[-10:] for name in again] == [
        "03/a.jsonl", "07/b.jsonl", "08/a.jsonl", "09/a.jsonl", "09/b.jsonl",
    ]  # fmt: skip
    # A clock that went back: the hours since are listed again.
    earlier = files.names(known, START.timestamp() - 4 * 3600)
    assert len(earlier) == 6
    s3.delete_object(Bucket="captures", Key=known[-1])
    assert known[-1] not in files.names(known, START.timestamp())


def test_a_bucket_that_is_not_there_is_said(client: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="there is no bucket 'nowhere'"):
        open_files("s3://nowhere/x", client("s3")).names((), 0.0)
    with pytest.raises(ValueError, match="names no bucket"):
        open_files("s3:///x", client("s3"))


def test_a_broken_picture_hinders_nothing_where_pictures_are_not_looked_at(world: World) -> None:
    broken = json.loads(line(0, 0.5, b"picture"))
    broken["captureData"]["endpointInput"]["data"] = "?"
    one, same = json.dumps(broken).encode() + b"\n", [line(i, 0.9, b"same") for i in range(1, 5)]
    world.capture("plain.jsonl", [one, *same[:2]])
    world.capture("odd.jsonl", [one.replace(b"event-0", b"event-9"), *same[2:], b"rubbish\n"])
    seen = world.watch(pictures=False)
    assert (len(seen.sheet.window), len(seen.sheet.faults)) == (6, 1)
    assert (seen.sheet.least_confident, seen.sheet.num_pictures) == ([], None)


def test_a_look_takes_no_message_from_another_address_or_question(world: World) -> None:
    world.capture("a.jsonl", [line(i, 0.9 if i < 300 else 0.55) for i in range(500)])
    seen = world.watch()
    for address in ("http://a/", "http://b/"):
        assert world.sent_by(seen, address) == ["None -> drift"]
        assert world.sent_by(world.watch(), address) == []
    world.watch(threshold=0.8)
    assert world.sent == ["None -> drift"]
    world.sent.clear()
    world.watch()
    assert world.sent == []
