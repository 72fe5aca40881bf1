"""Logs of failing apps: R's own last error in them, and the advice that mends it."""
