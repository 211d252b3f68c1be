"""JSONPath in states: payload templates, and paths in fields, with AWS's words when one fails."""

from collections.abc import Mapping
from typing import Any

from scones.local.asl.errors import RUNTIME, PathError, StatesError
from scones.local.asl.intrinsics import compile_call
from scones.local.asl.paths import Scene, compile_path, compile_reference, place
from scones.local.asl.text import dump, load


def fill(template: Any, scene: Scene) -> Any:
    """A copy of `template` in which `"name.$": path` has become `"name": value`."""
    if isinstance(template, Mapping):
        return {
            (key[:-2] if key.endswith(".$") else key): (
                read_value(value, key, scene) if key.endswith(".$") else fill(value, scene)
            )
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [fill(value, scene) for value in template]
    return template


def read_value(text: str, field: str, scene: Scene) -> Any:
    """What a path or an intrinsic function in `field` stands for; StatesError if nothing."""
    if text.startswith("States."):
        try:
            return compile_call(text).evaluate(scene)
        except PathError as error:
            shown = scene.context() if error.path.startswith("$$") else scene.input
            raise StatesError(
                RUNTIME,
                f"The function '{text}' had the following error: The JsonPath argument for the"
                f" field '{error.path}' could not be found in the input '{dump(shown)}'",
                in_state=True,
            ) from error
    return read_path(text, field, scene)


def read_path(text: str, field: str, scene: Scene) -> Any:
    """What a path in `field` leads to; StatesError States.Runtime if nowhere."""
    path = compile_path(text)
    try:
        return path.read(scene)
    except PathError as error:
        raise not_found(text, field, scene) from error


def not_found(text: str, field: str, scene: Scene) -> StatesError:
    """The failure that AWS reports for a path without a value."""
    shown = scene.context() if text.startswith("$$") else scene.input
    return StatesError(
        RUNTIME,
        f"The JSONPath '{text}' specified for the field '{field}' could not be found in the input"
        f" '{dump(shown)}'",
        in_state=True,
    )


def select(text: str | None, scene: Scene) -> Any:
    """InputPath and OutputPath: null gives an empty object."""
    if text is None:
        return {}
    try:
        return compile_path(text).read(scene)
    except PathError as error:
        raise StatesError(
            RUNTIME, f"Invalid path '{text}' : {error.detail}", in_state=True
        ) from error


def combine(text: str | None, document: Any, result: Any) -> Any:
    """ResultPath: the document with the result in it; null leaves the result out."""
    if text is None:
        return document
    try:
        return place(document, compile_reference(text), result)
    except PathError as error:
        cause = f"Unable to apply ReferencePath {text} to input {dump(document)}"
        raise StatesError("States.ResultPathMatchFailure", cause, in_state=True) from error


__all__ = ["combine", "dump", "fill", "load", "not_found", "read_path", "read_value", "select"]
