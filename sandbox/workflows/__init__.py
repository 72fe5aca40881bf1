"""The order of steps, and nothing else: each module is one action of a user."""
