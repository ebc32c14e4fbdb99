"""The second stage: claimed photos are decoded, batched, classified, recorded and moved."""
