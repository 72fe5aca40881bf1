"""Fidelity: one machine's facts against another's, and which bug each difference can cause."""
