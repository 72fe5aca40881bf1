"""Run the probe's script, and decide which parts of a machine's answer may leave the machine."""
