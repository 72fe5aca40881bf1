"""Facts: what a machine is, subject by subject, and how two machines differ."""
