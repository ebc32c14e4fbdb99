"""The daemon's reports: metrics, health, status file and log."""
