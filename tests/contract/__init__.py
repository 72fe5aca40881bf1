"""What every engine promises, proven on the fake one and on the real ones."""
