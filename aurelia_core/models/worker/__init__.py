"""Models that run in a separate process."""
