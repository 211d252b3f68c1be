"""Lambda functions: what is kept of them, and the processes that run them."""
