"""What apps say when they fail: their logs, R's own last error in them, and what mends it."""
