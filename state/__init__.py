"""The typed state of a run and its settings; no behaviour beyond selecting the best attempt."""
