"""Scones ships an image classifier as a monitored, event-driven workflow, on AWS or on a laptop."""
