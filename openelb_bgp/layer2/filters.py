"""The kernel's filters for the wire: exactly the frames that concern given addresses. Pure.

A hot path, but the kernel's: on a LAN with a pool of 10,000 a node hears every request for all of them, and
Python could not even drop 20,000 of these in a second for less than a fifth of a core. So the addresses
themselves are in the filter: a binary tree over blocks of 32 addresses with a bitmap each, some ten
comparisons deep. 10,000 consecutive addresses, whichever of them are ours, take 1,000 instructions of the
4,096 that the kernel takes. Sets too scattered for that are folded on their low bits, and what comes through
too much (at 2,500 addresses one in 13) is dropped by whoever reads.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence

from openelb_bgp.host import bpf
from openelb_bgp.host.bpf import ACCEPT, DROP, Instruction, Program
from openelb_bgp.model.addresses import Address, Family

MOST_BITS, FEWER_BITS = 15, 13
"""The size of the largest filter, as bits of the address that tell one from the other when folded; and what
fits into a socket where `net.core.optmem_max` is 20,480, the default before Linux 6.7."""

NOTHING: Program = (DROP,)

_OUTGOING = 4
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
_REPLY = 2
_ARP_OPERATION, _ARP_SENDER, _ARP_TARGET, _ARP_END = 20, 28, 38, 42
_NEXT_HEADER, _ICMPV6_TYPE, _LOW_WORD_OF_TARGET, _NDP_END = 20, 54, 74, 78

_WORD = 0xFFFFFFFF
_MOST_RANGES = 40
_TO_TAIL, _TO_MISS = Instruction(bpf.JUMP, -1), Instruction(bpf.JUMP, -2)
"""Jumps whose length is known only once the whole lookup is there."""

Leaf = tuple[int, int]
"""From that block on (address // 32 is its number), this bitmap, the lowest address in the lowest bit."""
Filter = Callable[..., Program]
"""`questions` or `answers`."""


def questions(
    family: Family, addresses: Iterable[Address], *, ifindex: int, bits: int = MOST_BITS
) -> Program:
    """Who asks for one of them, or says that it has it; and what is cut off before that shows."""
    words = _words(addresses)
    if family is Family.IPV4:
        return (
            *_on(ifindex),
            *_or_cut_off(_ARP_END),
            *_lookup(_ARP_TARGET, words, bits),
            # Who says so is looked up among ranges: hosts do not have addresses between a pool's.
            *_lookup_leaves(_ARP_SENDER, _ranges(words)),
            DROP,
        )
    return (
        *_on(ifindex),
        *_if(bpf.LOAD_BYTE, _NEXT_HEADER, _ICMPV6),
        Instruction(bpf.LOAD_BYTE, _ICMPV6_TYPE),
        Instruction(bpf.JUMP_IF_EQUAL, _SOLICITATION, 2, 0),
        Instruction(bpf.JUMP_IF_EQUAL, _ADVERTISEMENT, 1, 0),
        DROP,
        *_or_cut_off(_NDP_END),
        *_lookup(_LOW_WORD_OF_TARGET, words, bits),
        DROP,
    )


def answers(family: Family, addresses: Iterable[Address], *, ifindex: int, bits: int = MOST_BITS) -> Program:
    """Who says that it has one of them, without asking for anything."""
    words = _words(addresses)
    if family is Family.IPV4:
        reply = _if(bpf.LOAD_HALF, _ARP_OPERATION, _REPLY)
        return (*_on(ifindex), *reply, *_lookup(_ARP_SENDER, words, bits), DROP)
    return (
        *_on(ifindex),
        *_if(bpf.LOAD_BYTE, _NEXT_HEADER, _ICMPV6),
        *_if(bpf.LOAD_BYTE, _ICMPV6_TYPE, _ADVERTISEMENT),
        *_lookup(_LOW_WORD_OF_TARGET, words, bits),
        DROP,
    )


def _words(addresses: Iterable[Address]) -> Sequence[int]:
    """The low 32 bits of each; what else an IPv6 address has is looked at by whoever reads."""
    return sorted({int(address) & _WORD for address in addresses})


def _on(ifindex: int) -> Program:
    # What belongs to a VLAN or a macvlan upon the interface passes by on it too, as a frame of theirs.
    return (
        *_if(bpf.LOAD_WORD, bpf.IFINDEX, ifindex),
        Instruction(bpf.LOAD_WORD, bpf.PACKET_TYPE),
        Instruction(bpf.JUMP_IF_EQUAL, _OUTGOING, 0, 1),
        DROP,
    )


def _if(load: int, offset: int, wanted: int) -> Program:
    """Drop unless it is so."""
    return (Instruction(load, offset), Instruction(bpf.JUMP_IF_EQUAL, wanted, 1, 0), DROP)


def _or_cut_off(end: int) -> Program:
    """Accept what is shorter: whoever reads counts it."""
    return (Instruction(bpf.LOAD_LENGTH), Instruction(bpf.JUMP_IF_AT_LEAST, end, 1, 0), ACCEPT)


def _lookup(offset: int, words: Sequence[int], bits: int) -> Program:
    leaves = _leaves(words)
    if len(leaves) <= 1 << bits - 5:
        return _lookup_leaves(offset, leaves)
    mask = (1 << bits) - 1
    return _lookup_leaves(offset, _leaves(sorted({word & mask for word in words})), mask=mask)


def _leaves(words: Iterable[int]) -> list[Leaf]:
    bitmaps: dict[int, int] = {}
    for word in words:
        bitmaps[word >> 5] = bitmaps.get(word >> 5, 0) | 1 << (word & 31)
    return _joined(leaf for block, bitmap in bitmaps.items() for leaf in ((block, bitmap), (block + 1, 0)))


def _ranges(words: Sequence[int]) -> list[Leaf]:
    """Whole blocks, what lies between the nearest of them included."""
    blocks = sorted({word >> 5 for word in words})
    widest = sorted(itertools.pairwise(blocks), key=lambda pair: pair[0] - pair[1])[: _MOST_RANGES - 1]
    firsts = sorted([*blocks[:1], *(after for _, after in widest)])
    lasts = sorted([*blocks[-1:], *(before for before, _ in widest)])
    ranges = zip(firsts, lasts, strict=True)
    return _joined(leaf for first, last in ranges for leaf in ((first, _WORD), (last + 1, 0)))


def _joined(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Leaves in order, from block 0 on, each other than the one before."""
    joined = [(0, 0)]
    for start, bitmap in leaves:
        if joined[-1][0] == start:
            joined.pop()
        if not joined or joined[-1][1] != bitmap:
            joined.append((start, bitmap))
    return joined


def _lookup_leaves(offset: int, leaves: Sequence[Leaf], *, mask: int = _WORD) -> Program:
    """Accept where the word at the offset is in one of them, else go on after the lookup."""
    head = (
        Instruction(bpf.LOAD_WORD, offset),
        Instruction(bpf.AND, 31),
        Instruction(bpf.TO_X),
        Instruction(bpf.LOAD_WORD, offset),
        Instruction(bpf.AND, mask),
        Instruction(bpf.SHIFT_RIGHT, 5),
    )
    tail = (
        Instruction(bpf.SHIFT_RIGHT_BY_X),
        Instruction(bpf.AND, 1),
        Instruction(bpf.JUMP_IF_EQUAL, 0, 1, 0),
        ACCEPT,
    )
    tree = _tree(leaves)
    ends = {_TO_TAIL: len(tree), _TO_MISS: len(tree) + len(tail)}
    resolved = (
        Instruction(bpf.JUMP, ends[one] - position - 1) if one in ends else one
        for position, one in enumerate(tree)
    )
    return (*head, *resolved, *tail)


def _tree(leaves: Sequence[Leaf]) -> Program:
    if len(leaves) == 1:
        return _leaf(leaves[0][1])
    middle = len(leaves) // 2
    left, right = _tree(leaves[:middle]), _tree(leaves[middle:])
    return (*bpf.skip_left_if_at_least(leaves[middle][0], left), *left, *right)


def _leaf(bitmap: int) -> Program:
    if bitmap == 0:
        return (_TO_MISS,)
    if bitmap == _WORD:
        return (ACCEPT,)
    return (Instruction(bpf.LOAD_CONSTANT, bitmap), _TO_TAIL)
