# mypy: ignore-errors
"""A hyperparameter search with the SageMaker SDK 2.x, as its own documentation has it.

It knows nothing of a local cloud. It finds `train/`, `test/` and their `.lst` files in the working
directory, and writes what it saw to `seen.json`.
"""

import json
from pathlib import Path

import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import (
    CategoricalParameter,
    ContinuousParameter,
    HyperparameterTuner,
    IntegerParameter,
)

session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
for split in ("train", "test"):
    session.upload_data(split, bucket, split)
    session.upload_data(f"{split}.lst", bucket, "lists")

estimator = Estimator(
    image_uri=image_uris.retrieve("image-classification", session.boto_region_name),
    role=role,
    instance_count=1,
    instance_type="ml.p3.2xlarge",
    output_path=f"s3://{bucket}/models",
    sagemaker_session=session,
    max_run=600,
)
estimator.set_hyperparameters(
    image_shape="3,32,32", num_classes=2, num_training_samples=len(list(Path("train").iterdir())),
    epochs=1,
)  # fmt: skip
tuner = HyperparameterTuner(
    estimator,
    objective_metric_name="validation:accuracy",
    hyperparameter_ranges={
        "learning_rate": ContinuousParameter(0.001, 0.1, scaling_type="Logarithmic"),
        "mini_batch_size": IntegerParameter(4, 10),
        "optimizer": CategoricalParameter(["sgd", "adam"]),
    },
    strategy="Random",
    max_jobs=3,
    max_parallel_jobs=2,
    random_seed=1,
    base_tuning_job_name="bays",
    tags=[{"Key": "team", "Value": "scones"}],
)


def channel(where: str) -> TrainingInput:
    return TrainingInput(f"s3://{bucket}/{where}", content_type="application/x-image")


tuner.fit(
    {
        "train": channel("train/"), "validation": channel("test/"),
        "train_lst": channel("lists/train.lst"), "validation_lst": channel("lists/test.lst"),
    },
    wait=False,
    include_cls_metadata=False,
)  # fmt: skip
tuner.wait()
described = tuner.describe()
frame = tuner.analytics().dataframe()
best = tuner.best_estimator()
attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name)
seen = {
    "job": tuner.latest_tuning_job.name,
    "status": described["HyperParameterTuningJobStatus"],
    "counters": described["TrainingJobStatusCounters"],
    "best": tuner.best_training_job(),
    "best_model": best.model_data,
    "best_hyperparameters": best.hyperparameters(),
    "attached": attached.best_training_job(),
    "rows": json.loads(frame.to_json(orient="records")),
    "ranges": tuner.analytics().tuning_ranges,
    "attached_metric": attached.objective_metric_name,
}
Path("seen.json").write_text(json.dumps(seen))
