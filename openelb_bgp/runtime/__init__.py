"""What a daemon runs on: the clock, the store of the current snapshot, the loop, health. No domain logic."""
