"""Singular and plural for messages."""


def plural(number: int, noun: str) -> str:
    """The noun in the form that fits a number: `photo` for 1, else `photos`."""
    return noun if number == 1 else f"{noun}s"


def is_or_are(number: int) -> str:
    """The verb that fits a number of things."""
    return "is" if number == 1 else "are"
