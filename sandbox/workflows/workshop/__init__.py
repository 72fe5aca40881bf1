"""What is done with a workshop: opened, tended, closed. One file for each command."""
