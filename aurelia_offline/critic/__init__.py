"""The offline Evaluator: parses a caption into claims and checks them against its own measurements of the clip."""
