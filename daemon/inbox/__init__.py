"""The first stage: a file in the inbox is noticed, ready, and claimed."""
