# mypy: ignore-errors
"""The course's notebook as one program, in its order, with the SageMaker SDK 2.x and nothing else.

It knows nothing of a local cloud. It finds `train/`, `test/` and their `.lst` files in the working
directory, and writes what it saw to `seen.json`.
"""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.debugger import FrameworkProfile, Rule, rule_configs  # noqa: F401 - imported there
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model_monitor import DataCaptureConfig
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Downloader
from sagemaker.serializers import IdentitySerializer

seen: dict[str, Any] = {}

# Where we are, who we are.
session = sagemaker.Session()
bucket = session.default_bucket()
region = session.boto_region_name
role = sagemaker.get_execution_role()
seen.update(bucket=bucket, region=region, role=role)

# The pictures and their lists.
for split in ("train", "test"):
    words = ["aws", "s3", "sync", f"./{split}", f"s3://{bucket}/{split}/", "--no-progress"]
    synced = subprocess.run(words, check=True, capture_output=True, text=True)
    seen[f"{split}_synced"] = synced.stdout.count("upload: ")
    boto3.Session().resource("s3").Bucket(bucket).Object(f"{split}.lst").upload_file(f"{split}.lst")

# The built-in algorithm.
algo_image = image_uris.retrieve("image-classification", region, version="latest")
seen["image"] = algo_image
model = Estimator(
    image_uri=algo_image,
    role=role,
    instance_count=1,
    instance_type="ml.p3.2xlarge",
    output_path=f"s3://{bucket}/models/image_model",
    sagemaker_session=session,
)
model.set_hyperparameters(
    image_shape="3,32,32", num_classes=2, num_training_samples=len(list(Path("train").iterdir())),
    epochs=2,
)  # fmt: skip


def channel(where: str) -> TrainingInput:
    """A channel as the course writes them."""
    return TrainingInput(s3_data=f"s3://{bucket}/{where}", content_type="application/x-image")


inputs = {
    "train": channel("train/"),
    "validation": channel("test/"),
    "train_lst": channel("train.lst"),
    "validation_lst": channel("test.lst"),
}
model.fit(inputs)
job = model.latest_training_job.describe()
seen.update(
    job=model.latest_training_job.name,
    job_status=job["TrainingJobStatus"],
    metrics={each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]},
    model_data=model.model_data,
)

# The endpoint, with data capture.
capture = DataCaptureConfig(
    enable_capture=True,
    sampling_percentage=100,
    destination_s3_uri=f"s3://{bucket}/data_capture",
)
deployment = model.deploy(
    initial_instance_count=1, instance_type="ml.m5.xlarge", data_capture_config=capture
)
endpoint = deployment.endpoint_name
seen["endpoint"] = endpoint
predictor = Predictor(endpoint, sagemaker_session=session)
predictor.serializer = IdentitySerializer("image/png")
pictures = sorted(Path("test").iterdir())[:3]
seen["inferences"] = [json.loads(predictor.predict(each.read_bytes())) for each in pictures]
try:
    predictor.predict(b"no picture at all")
except ClientError as error:
    seen["refusal"] = {**error.response["Error"], "status": error.response["OriginalStatusCode"]}
# The next is what the course's last part chooses random test pictures from.
objects = boto3.resource("s3").Bucket(bucket).objects.filter(Prefix="test")
seen["test_objects"] = len(list(objects))

# What was captured comes once the window has closed.
captured = f"s3://{bucket}/data_capture/{endpoint}"
until = time.monotonic() + 120
while not S3Downloader.list(captured) and time.monotonic() < until:
    time.sleep(1)
seen["nothing"] = S3Downloader.download(f"s3://{bucket}/not-there", "nothing")
S3Downloader.download(captured, "captured_data")
files = sorted(Path("captured_data").rglob("*.jsonl"))
seen["captured_files"] = [each.relative_to("captured_data").as_posix() for each in files]
lines = [line for each in files for line in each.read_text().splitlines()]
seen["records"] = [json.loads(line) for line in lines]

# Monitors, other capture settings, the end.
seen["monitors"] = predictor.list_monitors()
other = DataCaptureConfig(
    enable_capture=True, sampling_percentage=50, destination_s3_uri=f"s3://{bucket}/other"
)
predictor.update_data_capture_config(other)
described = session.sagemaker_client.describe_endpoint(EndpointName=endpoint)
seen["updated_capture"] = described["DataCaptureConfig"]
seen["answer_after_update"] = json.loads(predictor.predict(pictures[0].read_bytes()))
predictor.delete_model()
predictor.delete_endpoint()
waiter = session.sagemaker_client.get_waiter("endpoint_deleted")
waiter.wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
try:
    predictor.predict(pictures[0].read_bytes())
except ClientError as error:
    seen["gone"] = error.response["Error"]
listed = session.sagemaker_client.list_endpoint_configs()["EndpointConfigs"]
seen["configs_left"] = [each["EndpointConfigName"] for each in listed]
Path("seen.json").write_text(json.dumps(seen))
