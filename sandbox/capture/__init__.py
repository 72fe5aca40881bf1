"""Capture: a production server read over ssh, and a box written from what it is."""
