"""Executions of state machines: running, recorded, taken up again after the process died."""
