# mypy: ignore-errors
"""Objects are copied and deleted from within a handler, by client and by resource."""

import boto3

s3 = boto3.client("s3")


def lambda_handler(event, context):
    bucket, key = event["bucket"], event["key"]
    source = {"Bucket": bucket, "Key": key}
    s3.copy_object(Bucket=bucket, Key=f"seen/{key}", CopySource=source)
    boto3.resource("s3").Object(bucket, f"kept/{key}").copy(source)
    s3.delete_object(Bucket=bucket, Key=key)
    boto3.resource("s3").Object(bucket, f"seen/{key}").delete()
    left = [each.key for each in boto3.resource("s3").Bucket(bucket).objects.all()]
    return {"left": [each for each in left if each.endswith(key)]}
