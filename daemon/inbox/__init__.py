"""The first stage: a file in the inbox is noticed, becomes ready, and is claimed."""
