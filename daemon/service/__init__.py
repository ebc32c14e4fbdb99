"""The process of the daemon: start, recovery, main loop, reload and stop."""
