"""Checks: is the running machine what its plan says? Made from the plan, run through testinfra."""
