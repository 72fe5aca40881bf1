"""Find out what an app's R code asks for: the code is read and never run."""
