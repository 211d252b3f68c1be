"""SageMaker's container contract around the model."""

import os

# Before torch loads OpenMP: its threads spin while they wait for one another, which on a machine
# that is busy otherwise costs ten times the time. 3 epochs of 800 pictures with two threads beside
# six other busy processes on 2 cores: 8 to 21 s an epoch spinning, 1.6 s passive, 1.1 to 1.5 s with
# one thread.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
