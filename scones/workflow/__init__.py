"""The product's verbs, on AWS and on a laptop alike."""
