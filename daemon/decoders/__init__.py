"""Decoding in sandboxed worker processes: decoders are C code that reads untrusted files, so a crash costs one photo."""
