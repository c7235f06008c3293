"""What `make` calls, and hatchling."""
