"""Where templates come from, and their versions."""
