"""Outcomes and observations → statuses, conditions, events and table columns. Pure: `now` is an argument."""
