"""What S3 says when it will not, in its own words."""

from typing import Any

from scones.local.checksums import ALGORITHMS
from scones.local.errors import ServiceError


def no_such_bucket(bucket: str) -> ServiceError:
    return ServiceError(
        "NoSuchBucket", "The specified bucket does not exist", 404, BucketName=bucket
    )


def no_such_key(key: str) -> ServiceError:
    return ServiceError("NoSuchKey", "The specified key does not exist.", 404, Key=key)


def no_such_upload(upload_id: str) -> ServiceError:
    return ServiceError(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed.",
        404,
        UploadId=upload_id,
    )


def precondition_failed(condition: str) -> ServiceError:
    return ServiceError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
        Condition=condition,
    )


def invalid_argument(name: str, value: Any, message: str) -> ServiceError:
    return ServiceError("InvalidArgument", message, ArgumentName=name, ArgumentValue=str(value))


def malformed_xml() -> ServiceError:
    return ServiceError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def headless(error: ServiceError) -> ServiceError:
    """The same refusal of a HEAD request, which has no body: all a client learns is the status."""
    words = {
        304: "Not Modified",
        400: "Bad Request",
        403: "Forbidden",
        404: "Not Found",
        412: "Precondition Failed",
        416: "Requested Range Not Satisfiable",
    }
    word = words.get(error.status, error.message)
    return ServiceError(str(error.status), word, error.status, **error.members)


CARRIED: dict[str, set[Any]] = {
    "ACL": {"private", "bucket-owner-full-control"},
    "BucketKeyEnabled": {False},
    "ChecksumAlgorithm": set(ALGORITHMS),
    "EncodingType": {"url"},
    "MetadataDirective": {"COPY", "REPLACE"},
    "ObjectOwnership": {"BucketOwnerEnforced"},
    "RequestPayer": {"requester"},
    "ServerSideEncryption": {"AES256", "aws:kms"},
    "StorageClass": {"STANDARD"},
    "TaggingDirective": {"COPY", "REPLACE"},
    "VersionId": {"null"},
}
"""Values of optional members that change nothing here: one owner, one class, no versions.

AES256 is accepted because S3 encrypts everything so by default, aws:kms (without a key of one's
own) because the SageMaker SDK asks for it with every script it uploads; nothing is encrypted here,
and no answer says that it is.
"""


def check_carried(**members: Any) -> None:
    """ServiceError NotImplemented, by name, for a value that would change what the user gets."""
    for name, value in members.items():
        if value is not None and value not in CARRIED[name]:
            carried = " or ".join(sorted(map(str, CARRIED[name])))
            raise ServiceError(
                "NotImplemented", f"{name} {value!r} is not carried here, only {carried}", 501
            )
