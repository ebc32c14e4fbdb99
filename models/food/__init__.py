"""The bundle that comes with foodsort; `models.bundle` reads it as files."""
