"""A training container in a few lines; its hyperparameters say how it behaves."""

import json
import os
import signal
import sys
import time
from pathlib import Path

base = Path(os.environ["SAGEMAKER_BASE_DIR"])
wish = json.loads((base / "input/config/hyperparameters.json").read_text())
say = print

say("Docker entrypoint called with argument(s): train")
seen = sorted(p.relative_to(base / "input/data").as_posix() for p in base.rglob("data/*/**/*.*"))
say("files:", json.dumps(seen))
for name in ("inputdataconfig", "resourceconfig"):
    say(f"{name}:", (base / f"input/config/{name}.json").read_text())
shown = wish.get("show", "").split()
say("environment:", json.dumps({k: v for k, v in os.environ.items() if k in shown}))

checkpoints = base / "checkpoints"
say("checkpoints:", json.dumps(sorted(each.name for each in checkpoints.iterdir())))
(checkpoints / "step").write_text("1")


def leave(number: int, frame: object) -> None:
    say("asked to leave")
    (base / "model/half").write_text("half a model")
    (checkpoints / "last").write_text("2")
    sys.exit(0)


if wish.get("on_sigterm") == "leave":
    signal.signal(signal.SIGTERM, leave)
elif wish.get("on_sigterm") == "ignore":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(float(wish.get("sleep_s", "0")))

if "failure" in wish:
    (base / "output/failure").write_text(wish["failure"])
if "signal" in wish:
    os.kill(os.getpid(), int(wish["signal"]))
if "pipe" in wish:
    os.mkfifo(base / "model/pipe")
if "exit" in wish:
    sys.exit(int(wish["exit"]))
if "raise" in wish:
    raise RuntimeError(wish["raise"])
say("[INFO] Epoch[0] Train-accuracy=0.608871")
say("[INFO] Epoch[0] Validation-accuracy=0.494792")
say("[INFO] Epoch[1] Validation-accuracy=0.750000")
say("loss: -1.5e-3")
(base / "model/deep").mkdir()
(base / "model/weights.bin").write_bytes(b"weights")
(base / "model/deep/shape.json").write_text("{}")
if "output" in wish:
    (base / "output/data/notes.txt").write_text(wish["output"])
