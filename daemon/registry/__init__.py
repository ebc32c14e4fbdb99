"""The learned models of a root, in its folder `models/`: bundles by their digests, and which of them is live."""
