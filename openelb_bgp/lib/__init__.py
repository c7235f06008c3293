"""Tools that know no domain: processes that are found again, task groups, small arithmetic of values.

What is here could serve any daemon; nothing here may import a room above it. `processes` is standard
library without asyncio, because the sidecar, whose memory counts, leans on it.
"""
