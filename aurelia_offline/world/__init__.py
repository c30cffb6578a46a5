"""The mini world: its clips and scenes, its questions, and the agents' answers to them."""
