"""Functions: made, told, changed, published, removed."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions.names import LATEST, Named
from scones.local.services.lambda_.code import location
from scones.local.services.lambda_.ledger import Operations, conflict, invalid, page
from scones.local.services.lambda_.settings import check

PAGE = 50
"""ListFunctions gives no more at once, whatever is asked:
https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html"""


class Functions(Operations):
    """Operations on functions and their versions. Roles are kept, not asked."""

    _retire: Callable[[str], object]
    """Told the name of a function that changed; called from any thread."""

    def create_function(
        self,
        FunctionName: str,
        Role: str,
        Code: dict[str, Any],
        Runtime: str | None = None,
        Handler: str | None = None,
        Description: str | None = None,
        Timeout: int | None = None,
        MemorySize: int | None = None,
        Publish: bool | None = None,
        PackageType: str | None = None,
        Environment: dict[str, Any] | None = None,
        Tags: dict[str, str] | None = None,
        Layers: list[str] | None = None,
        Architectures: list[str] | None = None,
        EphemeralStorage: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        """Active at once, in contrast to AWS, where a function is Pending for some seconds."""
        if PackageType not in (None, "Zip"):
            raise ServiceError("NotImplemented", f"no PackageType {PackageType} here", 501)
        if not Runtime or not Handler:
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with "
                "deployment packages."
            )
        named = self._ledger.named(FunctionName)
        if self._ledger.store.read("select 1 from functions where name = ?", named.name):
            raise conflict(f"Function already exist: {named.name}")
        settings = {
            "Runtime": Runtime,
            "Handler": Handler,
            "Role": Role,
            "Description": Description or "",
            "Timeout": Timeout or 3,
            "MemorySize": MemorySize or 128,
            "Architectures": Architectures or ["x86_64"],
            "EphemeralStorage": EphemeralStorage or {"Size": 512},
            "Environment": Environment,
            "Layers": Layers,
        }
        check(settings)
        package = self._ledger.package(Code, "CreateFunction")
        configuration = self._ledger.changed(
            {
                "FunctionName": named.name,
                "FunctionArn": self._ledger.arn(Named(named.name, None)),
                "Version": LATEST,
                "CodeSha256": package.sha256,
                "CodeSize": package.size_bytes,
                **self._told(settings),
                **_SAME_FOR_ALL,
                "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{named.name}"},
            }
        )
        self._insert(named.name, configuration, Tags or {})
        return self._publish(named.name, configuration) if Publish else configuration

    def get_function(self, FunctionName: str, Qualifier: str | None = None) -> dict[str, Any]:
        """`Code.Location` can be fetched without credentials for ten minutes."""
        configuration = self.get_function_configuration(FunctionName, Qualifier)
        address = location(self._ledger, configuration["CodeSha256"])
        tags = json.loads(self._ledger.row(configuration["FunctionName"])["tags"])
        told = {
            "Configuration": configuration,
            "Code": {"RepositoryType": "S3", "Location": address},
        }
        return {**told, "Tags": tags} if tags else told

    def get_function_configuration(
        self, FunctionName: str, Qualifier: str | None = None
    ) -> dict[str, Any]:
        return self._ledger.configuration(self._ledger.named(FunctionName, Qualifier))

    def list_functions(
        self,
        FunctionVersion: str | None = None,
        Marker: str | None = None,
        MaxItems: int | None = None,
    ) -> dict[str, Any]:
        """By name; FunctionVersion ALL tells published versions, too."""
        rows = self._ledger.store.read(
            "select configuration from versions where version = ? or ? order by name, number",
            LATEST, FunctionVersion == "ALL",
        )  # fmt: skip
        told = [json.loads(each["configuration"]) for each in rows]
        return _listed("Functions", *page(told, Marker, min(MaxItems or PAGE, PAGE)))

    def list_versions_by_function(
        self, FunctionName: str, Marker: str | None = None, MaxItems: int | None = None
    ) -> dict[str, Any]:
        """$LATEST first, then by number."""
        name = self._ledger.named(FunctionName).name
        self._ledger.row(name)
        rows = self._ledger.store.read(
            "select configuration from versions where name = ? order by number", name
        )
        told = [json.loads(each["configuration"]) for each in rows]
        return _listed("Versions", *page(told, Marker, min(MaxItems or PAGE, PAGE)))

    def update_function_code(
        self,
        FunctionName: str,
        ZipFile: bytes | None = None,
        S3Bucket: str | None = None,
        S3Key: str | None = None,
        Publish: bool | None = None,
        DryRun: bool | None = None,
        RevisionId: str | None = None,
        Architectures: list[str] | None = None,
    ) -> dict[str, Any]:
        """DryRun checks the code and changes nothing."""
        named = self._ledger.named(FunctionName)
        before = self._ledger.configuration(Named(named.name, None))
        code = {"ZipFile": ZipFile, "S3Bucket": S3Bucket, "S3Key": S3Key}
        package = self._ledger.package(code, "UpdateFunctionCode")
        changes: dict[str, Any] = {"CodeSha256": package.sha256, "CodeSize": package.size_bytes}
        if Architectures:
            changes["Architectures"] = Architectures
        if DryRun:
            return {**before, **changes}
        after = self._change(named.name, changes, RevisionId)
        return self._publish(named.name, after) if Publish else after

    def update_function_configuration(
        self,
        FunctionName: str,
        Role: str | None = None,
        Handler: str | None = None,
        Description: str | None = None,
        Timeout: int | None = None,
        MemorySize: int | None = None,
        Environment: dict[str, Any] | None = None,
        Runtime: str | None = None,
        RevisionId: str | None = None,
        Layers: list[str] | None = None,
        EphemeralStorage: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        """What is not given stays as it is."""
        settings = {
            "Role": Role,
            "Handler": Handler,
            "Description": Description,
            "Timeout": Timeout,
            "MemorySize": MemorySize,
            "Environment": Environment,
            "Runtime": Runtime,
            "Layers": Layers,
            "EphemeralStorage": EphemeralStorage,
        }
        check(settings)
        named = self._ledger.named(FunctionName)
        return self._change(named.name, self._told(settings), RevisionId)

    def publish_version(
        self,
        FunctionName: str,
        CodeSha256: str | None = None,
        Description: str | None = None,
        RevisionId: str | None = None,
    ) -> dict[str, Any]:
        """A numbered, unchanging copy of $LATEST; the last one again if nothing changed since."""
        name = self._ledger.named(FunctionName).name
        latest = self._ledger.configuration(Named(name, None))
        _check_revision(latest, RevisionId)
        if CodeSha256 not in (None, latest["CodeSha256"]):
            raise invalid(
                f"CodeSHA256 ({CodeSha256}) is different from current CodeSHA256 in $LATEST "
                f"({latest['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST."
            )
        if Description is not None:
            latest["Description"] = Description
        return self._publish(name, latest)

    def delete_function(self, FunctionName: str, Qualifier: str | None = None) -> dict[str, Any]:
        """The function with all its versions, or just the version that is named."""
        named = self._ledger.named(FunctionName, Qualifier)
        self._ledger.configuration(named)
        if named.qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        if named.qualifier:
            self._ledger.store.write(
                "delete from versions where name = ? and version = ?", *named
            )  # fmt: skip
        else:
            self._ledger.store.write("delete from functions where name = ?", named.name)
        self._retire(named.name)
        return {"StatusCode": 204}

    def _told(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings as a configuration tells them; those not given are left out."""
        told = {name: value for name, value in settings.items() if value is not None}
        if "Layers" in told:
            told["Layers"] = self._ledger.layers(told["Layers"])
        if "Environment" in told:
            told["Environment"] = {"Variables": told["Environment"].get("Variables") or {}}
        return told

    def _insert(self, name: str, configuration: dict[str, Any], tags: dict[str, str]) -> None:
        try:
            with self._ledger.store.transaction() as connection:
                connection.execute(
                    "insert into functions (name, tags) values (?, ?)", (name, json.dumps(tags))
                )
                connection.execute(
                    "insert into versions values (?, ?, 0, ?)",
                    (name, LATEST, json.dumps(configuration)),
                )
        except sqlite3.IntegrityError as error:
            raise conflict(f"Function already exist: {name}") from error

    def _change(self, name: str, changes: dict[str, Any], revision: str | None) -> dict[str, Any]:
        with self._ledger.store.transaction() as connection:
            before = self._ledger.configuration(Named(name, None))
            _check_revision(before, revision)
            after = self._ledger.changed({**before, **changes})
            connection.execute(
                "update versions set configuration = ? where name = ? and version = ?",
                (json.dumps(after), name, LATEST),
            )
        self._retire(name)
        return after

    def _publish(self, name: str, latest: dict[str, Any]) -> dict[str, Any]:
        with self._ledger.store.transaction() as connection:
            row = connection.execute(
                "select number, configuration from versions where name = ? order by number desc",
                (name,),
            ).fetchone()
            last = json.loads(row["configuration"])
            if row["number"] and _essence(last) == _essence(latest):
                return {**last}
            version = str(row["number"] + 1)
            arn = self._ledger.arn(Named(name, version))
            published = self._ledger.changed({**latest, "Version": version, "FunctionArn": arn})
            connection.execute(
                "insert into versions values (?, ?, ?, ?)",
                (name, version, row["number"] + 1, json.dumps(published)),
            )
        return published


_SAME_FOR_ALL = {
    "TracingConfig": {"Mode": "PassThrough"},
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "PackageType": "Zip",
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}


def _essence(configuration: dict[str, Any]) -> dict[str, Any]:
    changing = ("Version", "FunctionArn", "RevisionId", "LastModified")
    return {name: value for name, value in configuration.items() if name not in changing}


def _check_revision(configuration: dict[str, Any], revision: str | None) -> None:
    if revision not in (None, configuration["RevisionId"]):
        raise ServiceError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id",
            412,
            Type="User",
        )


def _listed(name: str, items: list[dict[str, Any]], marker: str | None) -> dict[str, Any]:
    return {name: items, "NextMarker": marker} if marker else {name: items}
