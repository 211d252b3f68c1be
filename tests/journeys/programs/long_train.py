"""A training container that learns for an hour, and leaves a child of its own running."""

import os
import subprocess
import sys
import time

say = print

helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
say("helper", helper.pid, "of", os.environ["TRAINING_JOB_NAME"], flush=True)
for epoch in range(36_000):
    say(f"Epoch[{epoch}] Train-accuracy=0.5", flush=True)
    time.sleep(0.1)
