"""What is known of a machine: one module a subject, with its fragments of the probe beside it."""
