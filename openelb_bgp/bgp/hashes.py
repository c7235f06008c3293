"""Hashes that every node works out alike, so that speakers agree without talking to each other. Pure.

They are part of what runs in routers and in gobgpd: another algorithm would be another identifier for every
path, and a moment in which both are announced.
"""

import hashlib

from openelb_bgp.model.addresses import Address


def stable_hash(text: str) -> int:
    """32 bits of SHA-256 that are never 0: the same on every node, in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) or 1


def rank(address: Address, node: str) -> bytes:
    """A node's place among those that could serve an address (rendezvous hashing): the lowest comes first."""
    return hashlib.sha256(f"standin#{address}#{node}".encode()).digest()
