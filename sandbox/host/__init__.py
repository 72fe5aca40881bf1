"""The host: what is usable here, and making it so, and taking that back."""
