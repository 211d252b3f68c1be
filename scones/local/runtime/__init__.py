"""Child processes: tethered to us, and the Lambda Runtime API."""
