"""Whose captures are watched, under which gate, and what is said where nobody told."""

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scones.clients import Clients
from scones.gate.heldout import Gate, HeldOut, weigh
from scones.settings import Settings
from scones.workflow.alarm import Change
from scones.workflow.subject import Question, Subject, subject
from scones.workflow.watch import Watched, tell, watch

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = ("cat", "dog")
BUCKET = "watched"
CAPTURES = f"s3://{BUCKET}/data_capture/scones/"


def line(place: int, probabilities: Sequence[float], at: datetime = NOON) -> bytes:
    """One captured request, a second after the one before."""
    told = {
        "captureData": {"endpointOutput": {"encoding": "JSON", "data": json.dumps(probabilities)}},
        "eventMetadata": {
            "eventId": f"event-{place}-{at:%d}",
            "inferenceTime": f"{at + timedelta(seconds=place):%Y-%m-%dT%H:%M:%SZ}",
        },
    }
    return json.dumps(told).encode() + b"\n"


@pytest.fixture(scope="module")
def gate() -> Gate:
    """Of a model that errs in one picture of 200, where it is unsure."""
    labels = np.arange(200, dtype=np.int64) % 2
    z = np.where(labels == 1, 1.0, -1.0) * np.linspace(0.5, 6, 200)
    z[0] = 0.1
    return weigh(HeldOut(NAMES, np.stack([-z / 2, z / 2], 1), labels, ("",) * 200))


@dataclass(frozen=True)
class World:
    """A bucket with captures of our own deployed model, and a folder of this computer."""

    clients: Clients
    folder: Path

    def deploy(self, gate: Gate) -> float:
        """Note a deployment at noon whose training job left a model of this gate; its threshold."""
        certified = gate.overall.threshold
        assert certified is not None
        packed = io.BytesIO()
        content = json.dumps({"gate": gate.to_json()}).encode()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            member = tarfile.TarInfo("card.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        self.put("model.tar.gz", packed.getvalue())
        noted = {
            "deployed_at": NOON.isoformat(), "dataset": "cifar100", "classes": NAMES,
            "threshold": certified, "job": "job", "endpoint": "scones",
            "endpoint_config": "scones-1", "state_machine": "arn", "threshold_from": "certificate",
        }  # fmt: skip
        self.put("deployments/scones-1.json", json.dumps(noted).encode())
        return certified

    def put(self, key: str, content: bytes) -> None:
        self.clients.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def capture(self, lines: Sequence[bytes], hour: str = "2026/11/20/12") -> None:
        self.put(f"data_capture/scones/AllTraffic/{hour}/a.jsonl", b"".join(lines))

    def write(self, name: str, lines: Sequence[bytes]) -> str:
        """A folder with one file of these lines."""
        (self.folder / name).mkdir()
        (self.folder / name / "a.jsonl").write_bytes(b"".join(lines))
        return str(self.folder / name)

    def ask(self, source: str | None = None, **asked: Any) -> Subject:
        return subject(self.clients, self.clients.settings, Question(source, **asked))

    def watch(self, source: str | None = None, **asked: Any) -> Watched:
        question = Question(source, **asked)
        return watch(self.clients, self.clients.settings, question, clock=NOON.timestamp)


@pytest.fixture
def world(client: Callable[..., Any], tmp_path: Path) -> World:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)  # ours already, from the second test on: answers as made
    for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=each["Key"])
    model = {"ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/model.tar.gz"}}
    jobs = SimpleNamespace(describe_training_job=lambda TrainingJobName: model)
    settings = Settings(home=tmp_path / "home", report_dir=tmp_path / "report", bucket=BUCKET)
    clients = Clients(
        settings=settings, region="us-east-1", account="0" * 12, bucket=BUCKET, role="role",
        poll_s=0.1, s3=s3, sagemaker=jobs, functions=None, machines=None, logs=None,
        other=client, flush=lambda: True, clock=NOON.timestamp,
    )  # fmt: skip
    return World(clients, tmp_path)


@pytest.mark.parametrize(
    "asked", [CAPTURES, CAPTURES[:-1], f"s3://{BUCKET}/data_capture/", f"s3://{BUCKET}"]
)
def test_our_own_captures_are_ours_by_address_too(world: World, gate: Gate, asked: str) -> None:
    threshold = world.deploy(gate)
    own, found = world.ask(), world.ask(asked)
    assert found.files == own.files
    assert found.ours and found.gate is not None
    assert (found.threshold, found.by_hand) == (threshold, False)
    assert (found.since_s, found.model, found.class_names) == (NOON.timestamp(), "job", NAMES)
    holds = asked.rstrip("/") != CAPTURES[:-1]
    told = f"Of what lies below {asked.rstrip('/')}/, only the captures of our own endpoint scones"
    assert [note.startswith(told) for note in found.notes] == [True] * holds


def test_two_ways_to_watch_one_place_tell_a_change_once(world: World, gate: Gate) -> None:
    world.deploy(gate)
    world.capture([line(i, [0.97, 0.03] if i < 200 else [0.55, 0.45]) for i in range(300)])
    sent: list[str] = []

    def note(place: str, changes: Sequence[Change], now_s: float) -> None:
        sent.extend(each.verdict.state for each in changes)

    told = []
    for asked in (None, CAPTURES, None):
        seen = world.watch(asked)
        tell(seen, {"note": note})
        told.append([verdict.state for verdict in seen.findings.verdicts])
    assert told[0] == told[1] == told[2]
    assert sent.count("suspended") == 1
    assert len(sent) == len(set(sent))


def test_a_part_of_our_own_captures_has_our_gate_and_states_of_its_own(
    world: World, gate: Gate
) -> None:
    world.deploy(gate)
    world.capture([line(i, [0.97, 0.03]) for i in range(3)])
    later = NOON + timedelta(hours=1)
    world.capture([line(i, [0.9, 0.1], later) for i in range(2)], "2026/11/20/13")
    part = f"{CAPTURES}AllTraffic/2026/11/20/13/"
    seen = world.watch(part)
    assert (seen.sheet.place, len(seen.sheet.window)) == (part, 2)
    assert seen.subject.gate is not None and seen.subject.ours
    assert f"only those below {part} are watched" in seen.subject.notes[0]
    assert seen.cache.folder != world.watch().cache.folder


def test_other_captures_in_our_bucket_are_not_ours(world: World, gate: Gate) -> None:
    world.deploy(gate)
    for asked in (f"s3://{BUCKET}/data_capture/other/", f"s3://{BUCKET}/data_capture/sco"):
        found = world.ask(asked)
        assert not found.ours and found.gate is None
        assert found.notes[0].startswith("Not given, so assumed: the class names bicycle")


def test_a_threshold_that_is_not_our_own_gates_is_refused(world: World, gate: Gate) -> None:
    stands = f"{world.deploy(gate):.4g}"
    for asked in (None, CAPTURES):
        with pytest.raises(ValueError, match=rf"threshold is 0\.5; the gate .* at {stands}: leave"):
            world.ask(asked, threshold=0.5)


def test_class_names_that_are_not_our_own_are_said_to_be_unused(world: World, gate: Gate) -> None:
    world.deploy(gate)
    found = world.ask(classes=("a", "b"))
    assert found.class_names == NAMES
    assert found.notes[0].startswith("--classes a,b is not used: our own deployment's classes are")
    assert world.ask(classes=NAMES).notes == ()


def test_what_is_assumed_is_said_with_the_options_that_say_otherwise(world: World) -> None:
    place = world.write("captures", [line(0, [0.9, 0.1])])
    names = "the class names bicycle, motorcycle (--classes says otherwise)"
    gate = "a gate at 0.8 (--threshold says otherwise)"
    assert world.ask(place).notes == (f"Not given, so assumed: {names} and {gate}.",)
    assert world.ask(place, classes=NAMES).notes == (f"Not given, so assumed: {gate}.",)
    assert world.ask(place, threshold=0.7).notes == (f"Not given, so assumed: {names}.",)
    assert world.ask(place, threshold=0.7, classes=NAMES).notes == ()
    assert subject(None, Settings(threshold=0.7), Question(place, classes=NAMES)).notes == ()


def test_a_baselines_card_tells_classes_and_the_certified_threshold(
    world: World, gate: Gate
) -> None:
    place = world.write("captures", [line(0, [0.9, 0.1])])
    card = world.folder / "card.json"
    card.write_text(json.dumps({"gate": gate.to_json()}))
    found = world.ask(place, baseline=str(card))
    assert (found.class_names, found.threshold) == (NAMES, gate.overall.threshold)
    assert (found.by_hand, found.notes) == (False, ())
    assert world.ask(place, baseline=str(card), threshold=0.7).threshold == 0.7
    with pytest.raises(ValueError, match="knows cat, dog; it should know a, b"):
        world.ask(place, baseline=str(card), classes=("a", "b"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"gate": {"threshold": 0.8}}', "it has no 'calibration'"),
        ("[1]", "it holds no JSON object"),
        ("{}", "it holds no certificate"),
        ('{"probabilities": []}', "answers alone, and the model has no certificate"),
    ],
)
def test_what_is_no_baseline_is_told_what_would_be_one(
    world: World, content: str, why: str
) -> None:
    place = world.write("captures", [line(0, [0.9, 0.1])])
    (world.folder / "report.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"is none \(.*\); it should be a model's card\.json"
    ) as told:
        world.ask(place, baseline=str(world.folder / "report.json"))
    assert why in str(told.value)
    assert "nothing is promised" not in str(told.value)


@pytest.mark.parametrize(
    ("probabilities", "asked", "said"),
    [
        ([0.2, 0.3, 0.5], {}, "the captures hold 3 probabilities a record; name the classes with "
         "--classes a,b,c$"),
        ([0.01] * 100, {}, "100 probabilities a record; name .* --classes a,b,c,...$"),
        ([0.9], {}, r"no line at .*captures could be read; the first: a\.jsonl.*1 probabilit"),
        ([0.2, 0.3, 0.5], {"classes": NAMES}, r"no line at .*; the first: a\.jsonl.*3 probabilit"),
        (["x"], {}, r"no line at .*; the first: a\.jsonl:1: the answer is no list"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pictures", [True, False])
def test_captures_of_which_no_line_can_be_read_have_no_verdicts(
    world: World, probabilities: list[Any], asked: dict[str, Any], said: str, pictures: bool
) -> None:
    place = world.write("captures", [line(i, probabilities) for i in range(4)])
    for _ in range(2):  # the second time from what is kept
        with pytest.raises(ValueError, match=said):
            world.watch(place, pictures=pictures, **asked)
    assert not (world.folder / "report").exists()


def test_one_line_that_can_be_read_has_verdicts(world: World) -> None:
    place = world.write("captures", [line(0, [0.2, 0.3, 0.5]), line(1, [0.9, 0.1])])
    assert len(world.watch(place).sheet.window) == 1


def test_lines_of_a_model_with_other_classes_do_not_hinder_the_one_after_it(
    world: World, gate: Gate
) -> None:
    world.deploy(gate)
    early = NOON - timedelta(minutes=5)
    world.capture([line(i, [0.2, 0.3, 0.5], early) for i in range(4)])
    assert len(world.watch().sheet.window) == 0
    world.capture([line(i, [0.2, 0.3, 0.5]) for i in range(4)], "2026/11/20/13")
    with pytest.raises(ValueError, match=r"no line at .*; the first: .*/13/a\.jsonl"):
        world.watch()


def test_what_is_no_place_of_ground_truth_is_said_of_truth(world: World) -> None:
    place = world.write("captures", [line(0, [0.9, 0.1])])
    with pytest.raises(ValueError, match=r"truth is 'manifesto'.*manifest, none, s3://bucket/"):
        world.ask(place, truth="manifesto")
    with pytest.raises(ValueError, match=r"truth is .*captures', where no line of ground truth"):
        world.ask(place, truth=place)


@pytest.mark.parametrize("start", ["", f"s3://{BUCKET}/"])
def test_a_file_is_no_place_of_captures(world: World, start: str) -> None:
    place = start or f"{world.write('captures', [line(0, [0.9, 0.1])])}/"
    with pytest.raises(
        ValueError, match=r"a\.jsonl' .*file; give the (folder|prefix) that it lies"
    ):
        world.watch(f"{place}a.jsonl")
