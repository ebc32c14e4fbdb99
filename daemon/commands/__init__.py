"""The commands beside those that run the daemon, each group a module."""
