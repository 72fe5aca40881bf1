"""R and RStudio sandbox machines that are measurably like production."""

__version__ = "0.1.0"
