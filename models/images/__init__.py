"""Photos to pixels: formats, colours, EXIF."""
