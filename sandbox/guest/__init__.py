"""One machine that can be reached: its login, its pages, and the work done in it."""
