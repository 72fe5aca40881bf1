"""Box files: what they may say, how they are read, and which mistakes they have."""
