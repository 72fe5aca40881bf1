"""The files that this host fetches for a machine: builds of R, packages of R, RStudio Server."""
