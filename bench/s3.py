"""S3: put and get of 2 KB through boto3, beside a server that does nothing, moto and MiniStack."""

from contextlib import ExitStack

from bench import table
from bench.clouds import scones
from bench.load import boto, client, rate
from bench.nothing import BODY, nothing, nothing_with_headers
from bench.peers import ministack, moto

BUCKET = "bench"
KEYS = 1000
SERVERS = {
    "do nothing": nothing,
    "do nothing, S3's headers": nothing_with_headers,
    "scones": scones,
    "moto": moto,
    "ministack": ministack,
}
ROUNDS = 19
SECONDS = 0.4
"""Short turns, many of them: what else the machine does falls on all alike, or misses some."""


def main() -> None:
    """Print puts and gets a second."""
    with ExitStack() as stack:
        load = stack.enter_context(client())
        urls = {name: stack.enter_context(serve()) for name, serve in SERVERS.items()}
        for url in urls.values():
            load(_fill, url)()
        for title, measure in {"S3 put of 2 KB": _puts, "S3 get of 2 KB": _gets}.items():
            figures = table.alternate(
                {name: load(measure, url) for name, url in urls.items()}, ROUNDS
            )
            table.show(f"{title}, boto3, 8 threads", "requests/s", figures, beside="do nothing")
            for floor in ("do nothing", "do nothing, S3's headers"):
                best = max(figures["scones"]) / max(figures[floor])
                table.say(f"  scones beside {floor}, each in its best turn: {best:.2f}")


def _fill(url: str) -> float:
    s3 = boto("s3", url)
    s3.create_bucket(Bucket=BUCKET)
    for number in range(KEYS):
        s3.put_object(Bucket=BUCKET, Key=str(number), Body=BODY)
    return float(KEYS)


def _puts(url: str) -> float:
    s3 = boto("s3", url)

    def put(number: int) -> None:
        s3.put_object(Bucket=BUCKET, Key=str(number % KEYS), Body=BODY)

    return rate(put, SECONDS)


def _gets(url: str) -> float:
    s3 = boto("s3", url)

    def get(number: int) -> None:
        answer = s3.get_object(Bucket=BUCKET, Key=str(number % KEYS))
        assert answer["Body"].read() == BODY

    return rate(get, SECONDS)
