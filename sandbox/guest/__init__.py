"""One machine that can be reached: its login, its pages, and what is done in it."""
