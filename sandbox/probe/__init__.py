"""What a machine is: a read-only script, and the facts made of its answer."""
