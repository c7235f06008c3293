"""Measurements against the bounds that we hold ourselves to; `python -m bench` prints them as a table.

`rows/` says what is measured, one module a subject; the rest is what they measure with: a router and two
nodes in network namespaces (`site`), the kernel's routes as they come (`arrivals`), gobgpd driven by nothing
but gRPC (`bare`), Services by the thousand (`workload`). Ratios compare within one run, on one machine.
"""
