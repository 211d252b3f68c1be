"""Buckets: made, listed, tagged, removed."""

from datetime import UTC, datetime
from typing import Any

from scones.local.errors import ServiceError
from scones.local.services.s3.names import check_bucket_name
from scones.local.services.s3.operations import Operations
from scones.local.services.s3.refusals import check_carried, headless, no_such_bucket
from scones.local.services.s3.tags import bucket_tags, kept, tag_set


class Buckets(Operations):
    """Operations on buckets."""

    def create_bucket(
        self,
        Bucket: str,
        ACL: str | None = None,
        CreateBucketConfiguration: dict[str, Any] | None = None,
        ObjectOwnership: str | None = None,
    ) -> dict[str, Any]:
        check_carried(ACL=ACL, ObjectOwnership=ObjectOwnership)
        check_bucket_name(Bucket)
        wanted = CreateBucketConfiguration or {}
        for member in wanted.keys() - {"LocationConstraint", "Tags"}:
            raise ServiceError("NotImplemented", f"{member} is not carried here", 501)
        region = self._shelf.identity.region
        location = wanted.get("LocationConstraint")
        _check_location(location, region)
        made = self._shelf.store.write(
            "insert into buckets (name, created_at, location, tags) values (?, ?, ?, ?) "
            "on conflict do nothing",
            Bucket, self._shelf.now(), location, kept(bucket_tags(wanted.get("Tags", []))),
        )  # fmt: skip
        if not made and region != "us-east-1":
            raise ServiceError(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own "
                "it.",
                409,
                BucketName=Bucket,
            )
        return {"Location": f"/{Bucket}", "BucketArn": f"arn:aws:s3:::{Bucket}"}

    def delete_bucket(self, Bucket: str, ExpectedBucketOwner: str | None = None) -> dict[str, Any]:
        """Uploads in progress end with their bucket; objects keep it."""
        with self._shelf.store.transaction() as connection:
            self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
            if connection.execute("select 1 from objects where bucket = ?", (Bucket,)).fetchone():
                raise ServiceError(
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty",
                    409,
                    BucketName=Bucket,
                )
            uploads = self._shelf.uploads(Bucket)
            blobs = [b for each in uploads for b in self._shelf.end_upload(connection, each.id)]
            connection.execute("delete from buckets where name = ?", (Bucket,))
        self._shelf.discard(*blobs)
        return {}

    def head_bucket(self, Bucket: str, ExpectedBucketOwner: str | None = None) -> dict[str, Any]:
        try:
            row = self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        except ServiceError as error:
            raise headless(error) from None
        return {
            "BucketArn": f"arn:aws:s3:::{Bucket}",
            "BucketRegion": row["location"] or self._shelf.identity.region,
        }

    def list_buckets(
        self,
        MaxBuckets: int | None = None,
        ContinuationToken: str | None = None,
        Prefix: str | None = None,
        BucketRegion: str | None = None,
    ) -> dict[str, Any]:
        """The token of a page is the last bucket on the page before it."""
        home_region = self._shelf.identity.region
        rows = self._shelf.store.read(
            "select * from buckets where name > ? and substr(name, 1, ?) = ? "
            "and (? is null or coalesce(location, ?) = ?) order by name limit ?",
            ContinuationToken or "", len(Prefix or ""), Prefix or "",
            BucketRegion, home_region, BucketRegion,
            -1 if MaxBuckets is None else MaxBuckets + 1,
        )  # fmt: skip
        page = rows if MaxBuckets is None else rows[:MaxBuckets]
        listed = [
            {
                "Name": row["name"],
                "CreationDate": datetime.fromtimestamp(row["created_at"], UTC),
                "BucketArn": f"arn:aws:s3:::{row['name']}",
                "BucketRegion": row["location"] or home_region,
            }
            for row in page
        ]
        answer = {"Buckets": listed, "Owner": {"ID": self._shelf.owner_id}}
        if len(rows) > len(page):
            answer["ContinuationToken"] = page[-1]["name"]
        return answer if Prefix is None else answer | {"Prefix": Prefix}

    def get_bucket_location(
        self, Bucket: str, ExpectedBucketOwner: str | None = None
    ) -> dict[str, Any]:
        """None stands for us-east-1, as on AWS."""
        row = self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        region = row["location"] or self._shelf.identity.region
        return {"LocationConstraint": None if region == "us-east-1" else region}

    def put_bucket_tagging(
        self,
        Bucket: str,
        Tagging: dict[str, Any],
        ContentMD5: str | None = None,
        ChecksumAlgorithm: str | None = None,
        ExpectedBucketOwner: str | None = None,
    ) -> dict[str, Any]:
        """The checksums of a request without a stream are the gateway's to check."""
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        self._tag_bucket(Bucket, kept(bucket_tags(Tagging.get("TagSet", []))))
        return {"ResponseMetadata": {"HTTPStatusCode": 204}}

    def get_bucket_tagging(
        self, Bucket: str, ExpectedBucketOwner: str | None = None
    ) -> dict[str, Any]:
        tags = tag_set(self._shelf.check_bucket(Bucket, ExpectedBucketOwner)["tags"])
        if not tags:
            raise ServiceError("NoSuchTagSet", "The TagSet does not exist", 404, BucketName=Bucket)
        return {"TagSet": tags}

    def delete_bucket_tagging(
        self, Bucket: str, ExpectedBucketOwner: str | None = None
    ) -> dict[str, Any]:
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        self._tag_bucket(Bucket, "{}")
        return {}

    def _tag_bucket(self, bucket: str, tags: str) -> None:
        if not self._shelf.store.write("update buckets set tags = ? where name = ?", tags, bucket):
            raise no_such_bucket(bucket)


def _check_location(location: str | None, region: str) -> None:
    """ServiceError unless a bucket asked for in `region` may lie in `location`.

    us-east-1 makes buckets anywhere, and must not be named; other regions make their own.
    """
    if region == "us-east-1":
        if location == "us-east-1":
            raise ServiceError(
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
                LocationConstraint=location,
            )
    elif location != region:
        raise ServiceError(
            "IllegalLocationConstraintException",
            f"The {location or 'unspecified'} location constraint is incompatible for the region "
            "specific endpoint this request was sent to.",
        )
