"""AVReasonBench: records and importers, the runner, scoring and ablations."""
