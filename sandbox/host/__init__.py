"""This host: what setting up and tearing down a provider have in common on each."""
