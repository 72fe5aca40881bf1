"""What an app's R code asks for, read and never run."""
