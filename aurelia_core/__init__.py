"""The toolkit below the graph: media files, measured signals, chat models and answer reading. No agent, no loop."""
