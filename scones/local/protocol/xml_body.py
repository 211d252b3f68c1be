"""XML bodies. As in `json_body`, a structure's table of members is made when first needed."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scones.local.protocol.messages import MalformedError, Value
from scones.local.protocol.scalars import text_reader, text_writer

Reader = Callable[[list[Element]], Value]
"""Every element of one name in its parent -> the member's value."""
Writer = Callable[[Value, list[str]], None]
"""Appends the text of a value's elements."""

_IMPOSSIBLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold in any spelling (section 2.2, Char)."""


def decode(body: bytes) -> Element:
    """The root element. A document type is refused: it could define entities without end."""
    try:
        if b"<!DOCTYPE" in body:
            raise MalformedError("a document type declaration is not allowed")
        return ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise MalformedError("the request body is not well-formed XML") from error


def reader(shape: Shape) -> Reader:
    """Elements -> what boto3 takes."""
    make = {"structure": _read_structure, "list": _read_list, "map": _read_map}
    return make.get(shape.type_name, _read_scalar)(shape)


def writer(shape: Shape, name: str) -> Writer:
    """What boto3 gives -> elements called `name`."""
    make = {"structure": _write_structure, "list": _write_list, "map": _write_map}
    return make.get(shape.type_name, _write_scalar)(shape, name)


def escape(text: str) -> str:
    """Text for between tags; a carriage return would otherwise be read as a line feed."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _IMPOSSIBLE.sub("\ufffd", text.replace("\r", "&#13;"))


def _read_structure(shape: StructureShape) -> Reader:
    members: dict[str, tuple[str, Reader]] = {}
    attributes: dict[str, str] = {}

    def prepare() -> None:
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            if member.serialization.get("xmlAttribute"):
                attributes[key.rpartition(":")[2]] = name
            else:
                members[key] = name, reader(member)

    def read(elements: list[Element]) -> Value:
        if not members and not attributes:
            prepare()
        children: dict[str, list[Element]] = {}
        for child in elements[0]:
            children.setdefault(_local(child.tag), []).append(child)
        found = {}
        for key, group in children.items():
            if key in members:
                name, read_member = members[key]
                found[name] = read_member(group)
        for key, text in elements[0].attrib.items():
            if _local(key) in attributes:
                found[attributes[_local(key)]] = text
        return found

    return read


def _read_list(shape: ListShape) -> Reader:
    flattened = shape.serialization.get("flattened")
    items: list[Reader] = []

    def read(elements: list[Element]) -> Value:
        if not items:
            items.append(reader(shape.member))
        read_item = items[0]
        return [read_item([each]) for each in (elements if flattened else elements[0])]

    return read


def _read_map(shape: MapShape) -> Reader:
    flattened = shape.serialization.get("flattened")
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    pair: list[Reader] = []

    def read(elements: list[Element]) -> Value:
        if not pair:
            pair.extend((reader(shape.key), reader(shape.value)))
        found = {}
        for entry in elements if flattened else elements[0]:
            parts = {_local(each.tag): [each] for each in entry}
            if key_name not in parts or value_name not in parts:
                raise MalformedError(f"an entry of {shape.name} lacks {key_name} or {value_name}")
            found[pair[0](parts[key_name])] = pair[1](parts[value_name])
        return found

    return read


def _read_scalar(shape: Shape) -> Reader:
    read_text = text_reader(shape)

    def read(elements: list[Element]) -> Value:
        return read_text(elements[0].text or "")

    return read


def _write_structure(shape: StructureShape, name: str) -> Writer:
    opening, closing = f"<{name}{_namespace(shape)}", f"</{name}>"
    members: dict[str, Writer] = {}
    attributes: dict[str, str] = {}

    def prepare() -> None:
        for key, member in shape.members.items():
            if member.serialization.get("xmlAttribute"):
                attributes[key] = member.serialization["name"]
            else:
                members[key] = writer(member, _element_name(member, key))

    def write(value: Value, out: list[str]) -> None:
        if not members and not attributes:
            prepare()
        out.append(opening)
        for key, attribute in attributes.items():
            if value.get(key) is not None:
                out.append(f' {attribute}="{escape(value[key]).replace(chr(34), "&quot;")}"')
        out.append(">")
        for key, item in value.items():
            assert key in members or key in attributes, f"{shape.name} has no member {key}"
            if item is not None and key in members:
                members[key](item, out)
        out.append(closing)

    return write


def _write_list(shape: ListShape, name: str) -> Writer:
    flattened = shape.serialization.get("flattened")
    item_name = name if flattened else shape.member.serialization.get("name", "member")
    opening, closing = f"<{name}{_namespace(shape)}>", f"</{name}>"
    items: list[Writer] = []

    def write(value: Value, out: list[str]) -> None:
        if not items:
            items.append(writer(shape.member, item_name))
        if not flattened:
            out.append(opening)
        for item in value:
            items[0](item, out)
        if not flattened:
            out.append(closing)

    return write


def _write_map(shape: MapShape, name: str) -> Writer:
    flattened = shape.serialization.get("flattened")
    entry = name if flattened else "entry"
    pair: list[Writer] = []

    def write(value: Value, out: list[str]) -> None:
        if not pair:
            pair.append(writer(shape.key, shape.key.serialization.get("name", "key")))
            pair.append(writer(shape.value, shape.value.serialization.get("name", "value")))
        if not flattened:
            out.append(f"<{name}{_namespace(shape)}>")
        for key, item in value.items():
            out.append(f"<{entry}>")
            pair[0](key, out)
            pair[1](item, out)
            out.append(f"</{entry}>")
        if not flattened:
            out.append(f"</{name}>")

    return write


def _write_scalar(shape: Shape, name: str) -> Writer:
    write_text = text_writer(shape)
    opening, closing = f"<{name}{_namespace(shape)}>", f"</{name}>"

    def write(value: Value, out: list[str]) -> None:
        out.append(f"{opening}{escape(write_text(value))}{closing}")

    return write


def _element_name(member: Any, key: str) -> str:
    # botocore reads a flattened list by its item's name, where that has one (parsers.py,
    # `_member_key_name`), though it writes it by the list's.
    if member.type_name == "list" and member.serialization.get("flattened"):
        item_name = member.member.serialization.get("name")
        if item_name is not None:
            return str(item_name)
    return str(member.serialization.get("name", key))


def _namespace(shape: Shape) -> str:
    namespace = shape.serialization.get("xmlNamespace")
    if namespace is None:
        return ""
    if isinstance(namespace, str):
        return f' xmlns="{namespace}"'
    prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
    return f' xmlns{prefix}="{namespace["uri"]}"'


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
