"""Who is alive: what this node has seen of the other nodes' speakers."""
