"""What the daemon reports of itself: metrics, health, status, log."""
