"""A workshop, without any machine: seats, names, secrets, slips, arithmetic. Pure."""
