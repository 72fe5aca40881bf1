"""Measurements of what `sandbox` promises about speed. Not tests: they print, and judge nothing."""
