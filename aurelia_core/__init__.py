"""aurelia_core."""
