"""What the daemon reports about itself: metrics, health, status file and log."""
