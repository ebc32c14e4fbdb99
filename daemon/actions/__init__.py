"""The way back: what people do to sorted photos."""
