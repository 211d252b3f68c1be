"""Figures beside a peer and a floor, in one run: `make bench`, or `make bench ARGS="s3 lambda"`."""
