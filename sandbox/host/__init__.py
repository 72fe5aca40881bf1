"""This host: the parts of setup and teardown that all providers share."""
