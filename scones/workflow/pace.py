"""Times and rates as a person types them: 30s, 10m, 1h; 5/s, 90/m."""

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str, setting: str) -> float:
    """A time in seconds; ValueError names the setting."""
    try:
        found = float(text[:-1]) * UNITS_S[text[-1:]]
    except (ValueError, KeyError):
        found = 0.0
    if not 0 < found < float("inf"):
        raise ValueError(f"{setting} is {text!r}; it should be a time such as 30s, 10m, 1h or 2d")
    return found


def per_second(text: str) -> float:
    """A rate in requests a second."""
    number, _, unit = text.partition("/")
    try:
        found = float(number) / UNITS_S[unit]
    except (ValueError, KeyError):
        found = 0.0
    if not 0 < found < float("inf"):
        raise ValueError(f"rate is {text!r}; it should be a rate such as 5/s, 90/m or 1000/h")
    return found
