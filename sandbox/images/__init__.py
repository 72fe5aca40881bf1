"""Base images: the operating systems that machines start from, made or fetched once and kept."""
