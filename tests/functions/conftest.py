"""The functions make clients when they are imported, which needs a region, as on Lambda."""

import os

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
