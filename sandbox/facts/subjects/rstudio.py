"""Sessions of RStudio Server, from inside which R is asked too (rstudio.sh)."""

from sandbox.facts.subject import Subject

RSTUDIO = Subject(name="rstudio", rank=135)
