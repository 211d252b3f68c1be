"""The machine-learning core; it knows no AWS and no disk layout."""
