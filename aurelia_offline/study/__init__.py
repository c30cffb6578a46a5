"""The studies of the mini world: what the loop does for a target, and how it recovers from errors."""
