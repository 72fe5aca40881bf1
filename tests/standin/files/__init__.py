"""What the stand-in's package puts below /usr/lib/rstudio-server."""
