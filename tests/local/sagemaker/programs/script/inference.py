# mypy: ignore-errors
"""A student's serving script: only model_fn and output_fn are their own."""

import json
from pathlib import Path
from typing import Any

import torch


def model_fn(model_dir: str) -> torch.nn.Module:
    model = torch.nn.Linear(1, 1, bias=False)
    model.load_state_dict(torch.load(Path(model_dir, "weights.pt")))
    return model


def output_fn(prediction: Any, accept: str) -> str:
    return json.dumps({"doubled": [round(each, 2) for each in prediction.flatten().tolist()]})
