"""What is sent to Lambda and Step Functions: the functions' zip, and the machine's definition.

Both are made from files of this package and nothing else, byte for byte the same on every machine,
so that what runs on the laptop is what runs on AWS.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import scones.functions
from scones.settings import Bay

FOLDER = Path(scones.functions.__file__).parent
TEMPLATE = FOLDER / "classify.asl.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold; file times are none of the code."""


def functions_zip() -> bytes:
    """The functions' package as a zip: stored, sorted and undated, so always the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in [FOLDER.parent / "__init__.py", *sorted(FOLDER.glob("*.py"))]:
            entry = zipfile.ZipInfo(path.relative_to(FOLDER.parents[1]).as_posix(), EPOCH)
            entry.create_system = 3  # "Unix", wherever it is made
            entry.external_attr = 0o100644 << 16  # AWS runs as another user: it must be readable
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def definition(bays: Mapping[str, Bay], function_arns: Mapping[str, str]) -> str:
    """The machine in Amazon States Language.

    `bays` is by class, `function_arns` by the names that the template gives the functions. The
    template's one Choice rule and one bay are written out for each class.
    """
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    words = [
        {"class": name, "bay": bay.name, "order_radius_km": bay.order_radius_km}
        for name, bay in bays.items()
    ]
    states: dict[str, Any] = {}
    for name, state in template["States"].items():
        if "${class}" in name:
            for each in words:
                states |= filled({name: state}, each)
        elif state["Type"] == "Choice":
            rules = [filled(rule, each) for rule in state["Choices"] for each in words]
            states[name] = {**state, "Choices": rules}
        else:
            states[name] = filled(state, function_arns)
    return json.dumps({**template, "States": states}, indent=2)


def filled(value: Any, words: Mapping[str, Any]) -> Any:
    """`value` with each `${word}` replaced; a text that is only one takes the word's type."""
    if isinstance(value, dict):
        return {filled(key, words): filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, words) for item in value]
    if not isinstance(value, str):
        return value
    for word, meaning in words.items():
        if value == f"${{{word}}}":
            return meaning
        value = value.replace(f"${{{word}}}", str(meaning))
    return value
