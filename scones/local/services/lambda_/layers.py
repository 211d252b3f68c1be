"""Layers: zip files that several functions share."""

import json
from datetime import UTC, datetime
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions import names
from scones.local.services.lambda_.code import located
from scones.local.services.lambda_.ledger import Operations, invalid, page

PAGE = 50  # https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html


class Layers(Operations):
    """Operations on layers and their versions."""

    def publish_layer_version(
        self,
        LayerName: str,
        Content: dict[str, Any],
        Description: str | None = None,
        CompatibleRuntimes: list[str] | None = None,
        LicenseInfo: str | None = None,
        CompatibleArchitectures: list[str] | None = None,
    ) -> dict[str, Any]:
        """The next version of a layer; a layer begins with its first one."""
        name = _name(LayerName)
        package = self._ledger.package(Content, "PublishLayerVersion")
        arn = self._ledger.identity.arn("lambda", f"layer:{name}")
        now = datetime.fromtimestamp(self._ledger.clock(), UTC).isoformat(timespec="milliseconds")
        described = {
            "Content": {
                "CodeSha256": package.sha256,
                "CodeSize": package.size_bytes,
            },
            "LayerArn": arn,
            "Description": Description or "",
            "CreatedDate": now.replace("+00:00", "+0000"),
            "CompatibleRuntimes": CompatibleRuntimes or [],
            "CompatibleArchitectures": CompatibleArchitectures or [],
        }
        if LicenseInfo is not None:
            described["LicenseInfo"] = LicenseInfo
        with self._ledger.store.transaction() as connection:
            last = connection.execute(
                "select coalesce(max(version), 0) from layers where name = ?", (name,)
            ).fetchone()[0]
            described |= {"Version": last + 1, "LayerVersionArn": f"{arn}:{last + 1}"}
            connection.execute(
                "insert into layers (name, version, described) values (?, ?, ?)",
                (name, last + 1, json.dumps(described)),
            )
        return located(self._ledger, described)

    def get_layer_version(self, LayerName: str, VersionNumber: int) -> dict[str, Any]:
        for each in self._versions(_name(LayerName)):
            if each["Version"] == VersionNumber:
                return located(self._ledger, each)
        raise ServiceError(
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
            404,
            Type="User",
        )

    def delete_layer_version(self, LayerName: str, VersionNumber: int) -> None:
        """Functions that use it keep it; its number is not given again."""
        self._ledger.store.write(
            "update layers set deleted = 1 where name = ? and version = ?",
            _name(LayerName), VersionNumber,
        )  # fmt: skip

    def list_layers(
        self,
        CompatibleRuntime: str | None = None,
        Marker: str | None = None,
        MaxItems: int | None = None,
    ) -> dict[str, Any]:
        """By name, each with the latest version that is compatible."""
        latest: dict[str, dict[str, Any]] = {}
        for each in self._compatible(self._versions(), CompatibleRuntime):
            arn = each["LayerArn"]
            name = arn.rpartition(":")[2]
            latest[name] = {
                "LayerName": name,
                "LayerArn": arn,
                "LatestMatchingVersion": _summary(each),
            }
        items, marker = page(list(latest.values()), Marker, MaxItems or PAGE)
        return {"Layers": items, "NextMarker": marker} if marker else {"Layers": items}

    def list_layer_versions(
        self,
        LayerName: str,
        CompatibleRuntime: str | None = None,
        Marker: str | None = None,
        MaxItems: int | None = None,
    ) -> dict[str, Any]:
        """Latest first; none for a layer that is not there."""
        found = self._compatible(self._versions(_name(LayerName)), CompatibleRuntime)
        told = [_summary(each) for each in reversed(found)]
        items, marker = page(told, Marker, MaxItems or PAGE)
        told_of = {"LayerVersions": items}
        return {**told_of, "NextMarker": marker} if marker else told_of

    def _versions(self, name: str | None = None) -> list[dict[str, Any]]:
        rows = self._ledger.store.read(
            "select described from layers where not deleted and (? is null or name = ?) "
            "order by name, version",
            name, name,
        )  # fmt: skip
        return [json.loads(each["described"]) for each in rows]

    def _compatible(
        self, versions: list[dict[str, Any]], runtime: str | None
    ) -> list[dict[str, Any]]:
        return [each for each in versions if runtime in (None, *each["CompatibleRuntimes"])]


def _summary(described: dict[str, Any]) -> dict[str, Any]:
    left_out = ("Content", "LayerArn")
    return {name: value for name, value in described.items() if name not in left_out}


def _name(text: str) -> str:
    try:
        return names.layer(text)
    except ValueError as error:
        raise invalid(str(error)) from error
