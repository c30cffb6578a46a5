"""The procedural world: scenes whose every sound and movement is known, rendered to real clips."""
