"""Form bodies of the query protocol: `Tags.member.1.Key=a&Tags.member.1.Value=b` -> values."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scones.local.protocol.messages import MalformedError, Value
from scones.local.protocol.scalars import text_reader

Tree = dict[str, Any]
"""Parts of the names to the trees below them; a value stands under ""."""
Reader = Callable[[Tree], Value]


def decode(body: bytes) -> Tree:
    """The form's fields, their names taken apart at the dots."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise MalformedError("the request body is not a valid form") from error
    root: Tree = {}
    for name, value in fields:
        branch = root
        for part in name.split("."):
            branch = branch.setdefault(part, {})
        branch[""] = value
    return root


def reader(shape: Shape) -> Reader:
    """The tree under a member's name -> what boto3 takes."""
    make = {"structure": _read_structure, "list": _read_list, "map": _read_map}
    return make.get(shape.type_name, _read_scalar)(shape)


def _read_structure(shape: StructureShape) -> Reader:
    members: dict[str, tuple[str, Reader]] = {}

    def read(tree: Tree) -> Value:
        if not members:
            for name, member in shape.members.items():
                for field in _field_names(member, name):
                    members[field] = name, reader(member)
        return {
            members[key][0]: members[key][1](branch)
            for key, branch in tree.items()
            if key in members
        }

    return read


def _read_list(shape: ListShape) -> Reader:
    flattened = shape.serialization.get("flattened")
    item_name = shape.member.serialization.get("name", "member")
    items: list[Reader] = []

    def read(tree: Tree) -> Value:
        if not items:
            items.append(reader(shape.member))
        return [
            items[0](each) for each in _numbered(tree if flattened else tree.get(item_name, {}))
        ]

    return read


def _read_map(shape: MapShape) -> Reader:
    flattened = shape.serialization.get("flattened")
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    pair: list[Reader] = []

    def read(tree: Tree) -> Value:
        if not pair:
            pair.extend((reader(shape.key), reader(shape.value)))
        found = {}
        for entry in _numbered(tree if flattened else tree.get("entry", {})):
            if key_name not in entry or value_name not in entry:
                raise MalformedError(f"an entry of {shape.name} lacks {key_name} or {value_name}")
            found[pair[0](entry[key_name])] = pair[1](entry[value_name])
        return found

    return read


def _read_scalar(shape: Shape) -> Reader:
    read_text = text_reader(shape)

    def read(tree: Tree) -> Value:
        if "" not in tree:
            raise MalformedError(f"{shape.name} is one value, not a structure or list")
        return read_text(tree[""])

    return read


def _numbered(tree: Tree) -> list[Tree]:
    try:
        numbered = sorted(
            ((int(key), branch) for key, branch in tree.items() if key), key=itemgetter(0)
        )
    except ValueError as error:
        raise MalformedError("the members of a list are numbered") from error
    return [branch for _, branch in numbered]


def _field_names(member: Any, name: str) -> set[str]:
    # A flattened list goes by its own name; botocore sends it by its item's, where that has one
    # (serialize.py, `QuerySerializer._serialize_type_list`).
    names = {str(member.serialization.get("name", name))}
    if member.type_name == "list" and member.serialization.get("flattened"):
        names.add(str(member.member.serialization.get("name", name)))
    return names
