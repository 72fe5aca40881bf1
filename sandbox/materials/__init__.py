"""What this host fetches for a machine, before the machine is made."""
