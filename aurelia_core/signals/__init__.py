"""What can be measured in a clip without a model: sounds, silence, tempo, motion, colours, cuts, coincidence."""
