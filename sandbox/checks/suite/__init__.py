"""The tests themselves. Thin: what they verify is in up.py, safe.py, correct.py, snappy.py."""
