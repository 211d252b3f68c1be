"""AWS wire formats, both directions, from botocore's service models: the client inside out."""
