"""ItemBatcher: items bundled for one child execution each."""

from collections.abc import Iterator
from typing import Any

from scones.local.asl import jsonata, jsonpath
from scones.local.asl.errors import PAYLOAD_LIMIT_BYTES, RUNTIME, StatesError
from scones.local.asl.text import dump
from scones.local.asl.visit import Visit


def batches(visit: Visit, items: list[Any]) -> list[Any]:
    """The inputs of the child executions: the items themselves where there is no ItemBatcher."""
    batcher = visit.state.fields.get("ItemBatcher")
    if batcher is None:
        return items
    most = _positive(visit, "MaxItemsPerBatch") or len(items) or 1
    longest = _positive(visit, "MaxInputBytesPerBatch") or PAYLOAD_LIMIT_BYTES
    common = _batch_input(visit)
    return [{**common, "Items": batch} for batch in _split(items, most, longest, common)]


def _split(
    items: list[Any], most: int, longest: int, common: dict[str, Any]
) -> Iterator[list[Any]]:
    base = len(dump({**common, "Items": []}).encode())
    batch: list[Any] = []
    size = base
    for item in items:
        length = len(dump(item).encode()) + 1
        if batch and (len(batch) >= most or size + length > longest):
            yield batch
            batch, size = [], base
        batch.append(item)
        size += length
    if batch:
        yield batch


def _positive(visit: Visit, field: str) -> int | None:
    batcher = visit.state.fields["ItemBatcher"]
    found = visit.number_in(batcher, field, f"ItemBatcher/{field}")
    if found is None:
        return None
    if found < 0:
        raise StatesError(RUNTIME, f"{field} cannot be negative.", in_state=True)
    return int(found)


def _batch_input(visit: Visit) -> dict[str, Any]:
    batcher = visit.state.fields["ItemBatcher"]
    if "BatchInput" not in batcher:
        return {}
    template = batcher["BatchInput"]
    if visit.state.jsonata:
        return {"BatchInput": jsonata.fill(template, visit.bindings(), "ItemBatcher/BatchInput")}
    return {"BatchInput": jsonpath.fill(template, visit.scene(visit.effective()))}
