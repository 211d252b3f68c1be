"""ResultWriter: the results of a Distributed Map as files in S3, with a manifest.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scones.local.asl import jsonata, jsonpath
from scones.local.asl.errors import RESULT_WRITER_FAILED, StatesError
from scones.local.asl.ports import Outcome
from scones.local.asl.text import dump, load
from scones.local.asl.visit import Visit

Result = tuple[Outcome, Mapping[str, Any]]


async def write(visit: Visit, map_run_arn: str, results: Sequence[Result]) -> Any:
    """Write the files and answer what the Map puts out; without a destination, the results in the
    chosen form."""
    place = await visit.calmly(lambda: _place(visit))
    config = visit.state.fields["ResultWriter"].get("WriterConfig") or {}
    form = config.get("Transformation", "NONE" if place else "COMPACT")
    lines = config.get("OutputType", "JSON") == "JSONL"
    if not place:
        return _transformed([each for each in results if _succeeded(each)], form)
    folder = "/".join(
        part for part in (place.get("Prefix", ""), map_run_arn.split(":")[-1]) if part
    )
    files = {}
    for status in ("FAILED", "PENDING", "SUCCEEDED"):
        chosen = [each for each in results if _status(each) == status]
        files[status] = await _file(
            visit, place["Bucket"], f"{folder}/{status}_0", chosen, form, lines
        )
    manifest = {
        "DestinationBucket": place["Bucket"],
        "MapRunArn": map_run_arn,
        "ResultFiles": files,
    }
    key = f"{folder}/manifest.json"
    await _put(visit, place["Bucket"], key, dump(manifest))
    details = {"Bucket": place["Bucket"], "Key": key}
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": details}


async def _file(
    visit: Visit, bucket: str, stem: str, results: Sequence[Result], form: str, lines: bool
) -> list[dict[str, Any]]:
    if not results:
        return []
    rows = _transformed(results, form)
    text = "\n".join(map(dump, rows)) if lines else dump(rows)
    key = stem + (".jsonl" if lines else ".json")
    await _put(visit, bucket, key, text)
    return [{"Key": key, "Size": len(text.encode())}]


async def _put(visit: Visit, bucket: str, key: str, text: str) -> None:
    try:
        await visit.interpreter.world.storage.write(bucket, key, text.encode())
    except StatesError as error:
        raise StatesError(RESULT_WRITER_FAILED, error.cause) from error


def _transformed(results: Sequence[Result], form: str) -> list[Any]:
    """NONE: all that is known of each child. COMPACT: its output. FLATTEN: lists joined."""
    if form == "NONE":
        return [description for _, description in results]
    outputs = [
        load(outcome.output) if outcome.output is not None else _error(outcome)
        for outcome, _ in results
    ]
    if form == "COMPACT":
        return outputs
    flat: list[Any] = []
    for output in outputs:
        flat.extend(output if isinstance(output, list) else [output])
    return flat


def _error(outcome: Outcome) -> dict[str, Any]:
    return {"Error": outcome.error, "Cause": outcome.cause}


def _succeeded(result: Result) -> bool:
    return result[0].status == "SUCCEEDED"


def _status(result: Result) -> str:
    status = result[0].status
    return status if status in ("SUCCEEDED", "PENDING") else "FAILED"


def _place(visit: Visit) -> dict[str, str]:
    """Bucket and Prefix, or nothing."""
    fields = visit.state.fields["ResultWriter"]
    if visit.state.jsonata:
        template = fields.get("Arguments") or {}
        found = jsonata.fill(
            template, visit.bindings(), "ResultWriter/Arguments", before_entry=False
        )
    else:
        scene = visit.scene(visit.effective())
        found = jsonpath.fill(fields.get("Parameters") or {}, scene)
    return _checked(found)


def _checked(place: Any) -> dict[str, str]:
    if isinstance(place, dict) and not place:
        return {}
    given = place if isinstance(place, dict) else {}
    if not isinstance(given.get("Bucket"), str) or not isinstance(given.get("Prefix", ""), str):
        cause = f"A ResultWriter needs a Bucket, and may have a Prefix, both strings: {dump(place)}"
        raise StatesError(RESULT_WRITER_FAILED, cause)
    return given
