# mypy: ignore-errors
"""A notebook's cells for script mode, with the genuine SageMaker SDK 2.x.

Arguments: bucket, folder of the scripts.
"""

import json
import sys
import time
from typing import Any

import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.pytorch import PyTorch
from sagemaker.serializers import JSONSerializer

bucket, folder = sys.argv[1:]
session = sagemaker.Session(default_bucket=bucket)
role = "arn:aws:iam::000000000000:role/service-role/SconesRole"


def estimator(**hyperparameters: Any) -> PyTorch:
    return PyTorch(
        entry_point="train.py",
        source_dir=folder,
        framework_version="2.3",
        py_version="py311",
        instance_count=1,
        instance_type="ml.m5.large",
        role=role,
        sagemaker_session=session,
        hyperparameters={"epochs": 60, "learning-rate": 0.05, **hyperparameters},
        output_path=f"s3://{bucket}/script",
    )


def ended(job: str) -> dict[str, Any]:
    while True:
        about: dict[str, Any] = session.describe_training_job(job)
        if about["TrainingJobStatus"] != "InProgress":
            return about
        time.sleep(0.2)


good, bad = estimator(), estimator(fail="the pictures are upside down")
for each in (good, bad):
    each.fit({"train": f"s3://{bucket}/train/"}, wait=False)
jobs = [ended(each.latest_training_job.name) for each in (good, bad)]
predictor = good.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    entry_point="inference.py",
    source_dir=folder,
    serializer=JSONSerializer(),
    deserializer=JSONDeserializer(),
    wait=False,
)
name = predictor.endpoint_name
while session.sagemaker_client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Creating":
    time.sleep(0.2)
endpoint = session.sagemaker_client.describe_endpoint(EndpointName=name)
answer = (
    predictor.predict([[1.0], [3.5]])
    if endpoint["EndpointStatus"] == "InService"
    else endpoint["FailureReason"]
)
sys.stdout.write("\n" + json.dumps({"jobs": jobs, "answer": answer}, default=str) + "\n")
