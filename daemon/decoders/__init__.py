"""Decoding in processes of their own: decoders are C code fed by strangers, so what one does to itself costs one photo."""
