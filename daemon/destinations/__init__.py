"""The third stage: the folders in which photos end."""
