"""The code that all providers driven by Vagrant share."""
