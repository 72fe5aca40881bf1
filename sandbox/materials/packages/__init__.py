"""R packages: which a machine is to have, and their files, fetched and looked into."""
