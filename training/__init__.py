"""Makes a model: labelled photos in, a bundle with its report out."""
