"""The order of steps, and nothing else: each module is one thing a user does."""
