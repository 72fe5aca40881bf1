"""What is common to the providers that Vagrant drives."""
