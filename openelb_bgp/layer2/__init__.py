"""Layer 2 mode: which addresses this node owns on its links, and answering for them by ARP and NDP."""
