"""Load from a process of its own, so that what a client costs is not the server's to pay."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config

THREADS = 8

Measure = Callable[..., float]
"""A function of a module of ours, with arguments that can be pickled; runs in the client."""


class Client:
    """The client's process."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def __call__(self, measure: Measure, *arguments: Any) -> Callable[[], float]:
        """A contestant for `table.alternate`."""
        return lambda: self._pool.submit(partial(measure, *arguments)).result()


@contextmanager
def client() -> Iterator[Client]:
    """A client's process, which lives for several measurements."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        yield Client(pool)


def rate(ask: Callable[[int], object], seconds: float, threads: int = THREADS) -> float:
    """How many times a second `threads` together get through `ask`, which is given a number.

    After a tenth of the time to warm up. What `ask` raises ends the measurement.
    """
    counts = [0] * threads
    failures: list[BaseException] = []
    began_at = time.perf_counter() + seconds / 10
    over_at = began_at + seconds

    def work(number: int) -> None:
        try:
            while (now := time.perf_counter()) < over_at and not failures:
                ask(number + threads * counts[number])
                counts[number] += now >= began_at
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - began_at)


@cache
def boto(service: str, url: str) -> Any:
    """A genuine boto3 client with as many connections as there are threads; nothing is retried."""
    config = Config(max_pool_connections=THREADS, retries={"total_max_attempts": 1})
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", config=config,
        aws_access_key_id="bench", aws_secret_access_key="bench",
    )  # fmt: skip
