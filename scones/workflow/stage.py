"""Stage: pictures and their lists into the bucket, each only if it is not there already."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from scones.clients import Clients
from scones.images import png
from scones.images.images import Dataset, Images
from scones.images.manifest import Entry, write_jsonl, write_lst
from scones.workflow.progress import Steps, silent
from scones.workflow.staged import DATASET_KEY, MANIFEST_KEY, TEST, TRAIN, Facts, Staged, facts_json

PNG, TEXT, JSON_LINES = "image/png", "text/plain", "application/jsonl"


@dataclass(frozen=True)
class Item:
    """One object to be."""

    key: str
    content: bytes
    content_type: str


def stage(clients: Clients, dataset: Dataset, steps: Steps = silent) -> Staged:
    """Make the bucket if need be and bring it up to `dataset`; lists and manifest come last.

    So whoever finds the manifest finds every picture that it names.
    """
    with steps("stage") as step:
        ensure_bucket(clients)
        pictures = [*_pictures(dataset.train, TRAIN), *_pictures(dataset.test, TEST)]
        entries = [_entry(item, label, split) for item, label, split in pictures]
        staged = Staged(_facts(dataset), tuple(entries))
        there = _etags(clients)
        items = [item for item, _, _ in pictures if there.get(item.key) != _etag(item)]
        step.total(len(pictures))
        if len(items) < len(pictures):
            step.say(f"{len(pictures) - len(items)} were there already")
            step.advance(len(pictures) - len(items))
        with ThreadPoolExecutor(clients.settings.parallel) as pool:
            for done in as_completed([pool.submit(_put, clients, item) for item in items]):
                done.result()
                step.advance()
        for item in _lists(staged):
            _put(clients, item)
    return staged


def ensure_bucket(clients: Clients) -> None:
    """The bucket exists; if it is made here, it carries our tag and lets nobody in from outside."""
    s3, bucket = clients.s3, clients.bucket
    try:
        s3.head_bucket(Bucket=bucket)
        return
    except s3.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise ValueError(f"bucket {bucket!r} is not ours to use: {error}") from error
    region = clients.region
    # us-east-1 refuses to be named as a location: S3 API reference, CreateBucket
    where = {} if region == "us-east-1" else {"LocationConstraint": region}
    s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
    tags = [{"Key": key, "Value": value} for key, value in clients.tags.items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _pictures(images: Images, split: str) -> Iterator[tuple[Item, int, str]]:
    for pixels_HWC, label, name in zip(  # noqa: N806 - the array's shape
        images.pixels_NHWC, images.labels_N, images.filenames, strict=True
    ):
        yield Item(f"{split}/{name}", png.encode(pixels_HWC), PNG), int(label), split


def _entry(item: Item, label: int, split: str) -> Entry:
    return Entry(item.key, label, split, hashlib.sha256(item.content).hexdigest())


def _facts(dataset: Dataset) -> Facts:
    return Facts(
        dataset.name,
        dataset.class_names,
        _counts(dataset.train),
        _counts(dataset.test),
        dataset.train.sha256(),
        dataset.damaged,
    )


def _counts(images: Images) -> dict[str, int]:
    counted = Counter(int(label) for label in images.labels_N)
    return {name: counted[label] for label, name in enumerate(images.class_names)}


def _lists(staged: Staged) -> list[Item]:
    return [
        Item(f"{TRAIN}.lst", write_lst(staged.split(TRAIN)).encode(), TEXT),
        Item(f"{TEST}.lst", write_lst(staged.split(TEST)).encode(), TEXT),
        Item(DATASET_KEY, facts_json(staged.facts), "application/json"),
        Item(MANIFEST_KEY, write_jsonl(staged.entries).encode(), JSON_LINES),
    ]


def _etags(clients: Clients) -> dict[str, str]:
    """Key to ETag of every picture that is there."""
    pages = clients.s3.get_paginator("list_objects_v2")
    found: dict[str, str] = {}
    for split in (TRAIN, TEST):
        for page in pages.paginate(Bucket=clients.bucket, Prefix=f"{split}/"):
            found |= {each["Key"]: each["ETag"] for each in page.get("Contents", [])}
    return found


def _etag(item: Item) -> str:
    """An object put in one piece and not encrypted with a key of KMS has its MD5 as ETag:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html"""
    return f'"{hashlib.md5(item.content, usedforsecurity=False).hexdigest()}"'


def _put(clients: Clients, item: Item) -> None:
    clients.s3.put_object(
        Bucket=clients.bucket, Key=item.key, Body=item.content, ContentType=item.content_type
    )
