# mypy: ignore-errors
"""A student's training script for SageMaker's PyTorch image: fits y = 2 x."""

import argparse
import json
import os
import sys
from pathlib import Path

import torch
from helping import line

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--learning-rate", type=float)
parser.add_argument("--fail", default="")
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
options = parser.parse_args()

say = sys.stdout.write
say(f"files: {sorted(each.name for each in Path(options.train).iterdir())}\n")
if options.fail:
    raise RuntimeError(options.fail)
model = torch.nn.Linear(1, 1, bias=False)
for _ in range(options.epochs):
    model.zero_grad()
    x, y = line()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        model.weight -= options.learning_rate * model.weight.grad
say(f"loss: {loss.item():.8f}\n")
torch.save(model.state_dict(), Path(options.model_dir, "weights.pt"))
Path(os.environ["SM_OUTPUT_DATA_DIR"], "hps.json").write_text(os.environ["SM_HPS"])
say(json.dumps(sorted(name for name in os.environ if name.startswith("SM_"))) + "\n")
