"""What this node is: links, addresses and gateways by netlink, its boot, and who answers on its links."""
