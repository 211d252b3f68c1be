"""AWS wire formats, driven by botocore's models."""
