"""Sorts photos: an inbox folder in, `food/`, `non_food/` and a results database out."""
