"""Capture: read a production server over ssh, and write a box from its facts."""
