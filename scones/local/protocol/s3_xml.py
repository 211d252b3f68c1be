"""What S3's XML has that botocore's model of it does not say.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ , the response syntax of each operation.
"""

from scones.local.protocol.messages import XML_TYPE, Response, Value

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetObjectAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
}


def root_name(operation: str) -> str:
    """The root element of an answer."""
    return _ROOTS.get(operation, f"{operation}Result")


def write_bucket_location(result: dict[str, Value], request_id: str) -> Response:
    """The one answer that is text in the root; empty for us-east-1."""
    location = result.get("LocationConstraint") or ""
    body = f'<LocationConstraint xmlns="{NAMESPACE}">{location}</LocationConstraint>'
    headers = {"Content-Type": XML_TYPE, "x-amz-request-id": request_id}
    return Response(200, headers, body.encode())
