"""The third stage: the folders of sorted photos, and the moves into them."""
