"""SageMaker's built-in image-classification: where its image lies, what a job must and may say."""

import difflib
import math
from collections.abc import Mapping

from scones.workflow.search import REAL, WHOLE

REGISTRIES = {
    "ap-east-1": "286214385809",
    "ap-northeast-1": "501404015308",
    "ap-northeast-2": "306986355934",
    "ap-south-1": "991648021394",
    "ap-southeast-1": "475088953585",
    "ap-southeast-2": "544295431143",
    "ca-central-1": "469771592824",
    "eu-central-1": "813361260812",
    "eu-north-1": "669576153137",
    "eu-west-1": "685385470294",
    "eu-west-2": "644912444149",
    "eu-west-3": "749696950732",
    "me-south-1": "249704162688",
    "sa-east-1": "855470959533",
    "us-east-1": "811284229777",
    "us-east-2": "825641698319",
    "us-gov-west-1": "226302683700",
    "us-west-1": "632365934929",
    "us-west-2": "433757028032",
}
"""Account of the image by region:
https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html"""

NAMES = (
    "augmentation_type", "beta_1", "beta_2", "checkpoint_frequency", "early_stopping",
    "early_stopping_min_epochs", "early_stopping_patience", "early_stopping_tolerance", "epochs",
    "eps", "gamma", "image_shape", "kv_store", "learning_rate", "lr_scheduler_factor",
    "lr_scheduler_step", "mini_batch_size", "momentum", "multi_label", "num_classes", "num_layers",
    "num_training_samples", "optimizer", "precision_dtype", "resize", "top_k",
    "use_pretrained_model", "use_weighted_loss", "weight_decay",
)  # fmt: skip
"""https://docs.aws.amazon.com/sagemaker/latest/dg/IC-Hyperparameter.html"""
OPTIONS = ("profile", "certify", "folds", "risk", "certainty", "seed")
"""What our container takes as hyperparameters too, and commands as options of the same name."""


def check(texts: Mapping[str, str]) -> None:
    """ValueError for a hyperparameter that any job would fail at: its name, or its kind of value.

    What only some jobs can honour is left to the job.
    """
    for name, text in texts.items():
        if name not in NAMES + OPTIONS:
            close = difflib.get_close_matches(name, NAMES + OPTIONS, n=2)
            offer = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(NAMES)}"
            raise ValueError(f"hyperparameter {name} is none of image-classification; {offer}")
        if name in WHOLE and not (text.strip().isdecimal() and int(text) > 0):
            raise ValueError(f"hyperparameter {name} is {text!r}; give a whole number above 0")
        if name in REAL and not _is_number(text):
            raise ValueError(f"hyperparameter {name} is {text!r}; give a number from 0 up")


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def image_uri(region: str) -> str:
    """The algorithm's image in a region; ValueError for a region that has none."""
    if region not in REGISTRIES:
        known = ", ".join(sorted(REGISTRIES))
        raise ValueError(f"region is {region!r}; image-classification is offered in {known}")
    return f"{REGISTRIES[region]}.dkr.ecr.{region}.amazonaws.com/image-classification:1"


def hyperparameters(num_classes: int, num_training_samples: int) -> dict[str, str]:
    """The three that a job on 32 x 32 pictures must have; everything else has a default."""
    return {
        "image_shape": "3,32,32",
        "num_classes": str(num_classes),
        "num_training_samples": str(num_training_samples),
    }
