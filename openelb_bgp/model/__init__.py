"""Frozen values that every room shares: addresses, objects, snapshot, facts, reasons. No I/O, no clock."""
