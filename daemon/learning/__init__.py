"""Learning from people in a root: labels go to a process that fits a candidate, and it is put live or taken back."""
