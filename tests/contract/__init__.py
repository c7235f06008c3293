"""What every announcer promises (ports.Announcer), told once and kept by each, real or in memory."""
