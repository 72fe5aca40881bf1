"""The stand-in for RStudio Server, for tests only: Posit's own package cannot be had there."""
