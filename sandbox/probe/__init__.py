"""Running the probe's script, and what of a machine's answer may leave it."""
