"""A training container that is judged: its objective is best where x is 0.3, at y = 4 and in red.

Hyperparameters say how it behaves: `pause_s` between three epochs, `fail`, `mute`.
"""

import json
import os
import sys
import time
from pathlib import Path

base = Path(os.environ["SAGEMAKER_BASE_DIR"])
wish = json.loads((base / "input/config/hyperparameters.json").read_text())
say = print

say("hyperparameters:", json.dumps(wish))
if "fail" in wish:
    (base / "output/failure").write_text(wish["fail"])
    sys.exit(1)
loss = (float(wish.get("x", 0.3)) - 0.3) ** 2 + (int(wish.get("y", 4)) - 4) ** 2 / 100
loss += 0.0 if wish.get("colour", "red") == "red" else 0.2
for epoch in range(3):
    time.sleep(float(wish.get("pause_s", "0")))
    if "mute" not in wish:
        say(f"[INFO] Epoch[{epoch}] Validation-accuracy={1 - loss - 0.1 * (2 - epoch):.6f}")
        say(f"loss: {loss:.6f}")
(base / "model/weights.bin").write_text("weights")
