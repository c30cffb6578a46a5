"""Training on the reasoning of runs: an adapter for a frozen audio-visual model."""
