"""Tests against real daemons: gobgpd 3.10 and 4.8, FRR, and what runs beside them."""
