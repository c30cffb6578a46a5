"""Open weights that run in this process."""
