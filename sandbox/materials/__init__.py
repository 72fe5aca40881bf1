"""What this host fetches for a machine: builds of R, RStudio Server, packages of R."""
