"""Classic BPF: the few instructions that filters of packet sockets are made of, as bytes. Pure.

Which frames a socket wants is said where the socket is. The kernel runs a filter before it copies a frame,
so what it drops costs well under a microsecond and wakes nobody.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

MOST_INSTRUCTIONS = 4096
"""What the kernel takes (BPF_MAXINSNS)."""

# linux/bpf_common.h, linux/filter.h.
LOAD_WORD, LOAD_HALF, LOAD_BYTE, LOAD_LENGTH, LOAD_CONSTANT = 0x20, 0x28, 0x30, 0x80, 0x00
AND, SHIFT_RIGHT, SHIFT_RIGHT_BY_X, TO_X = 0x54, 0x74, 0x7C, 0x07
JUMP, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x05, 0x15, 0x35, 0x06

# The kernel's ancillary loads (SKF_AD_OFF).
PACKET_TYPE, IFINDEX = 0xFFFFF000 + 4, 0xFFFFF000 + 8

_INSTRUCTION = struct.Struct("=HBBI")
_SHORTEST_WAY, _LONGEST_CONDITIONAL = 0, 255


class Instruction(NamedTuple):
    """One step; a conditional jump skips `then` instructions if it holds, `otherwise` if not."""

    code: int
    operand: int = 0
    then: int = 0
    otherwise: int = 0


Program = Sequence[Instruction]

ACCEPT, DROP = Instruction(RETURN, 0xFFFFFFFF), Instruction(RETURN, 0)


def skip_left_if_at_least(bound: int, left: Program) -> Program:
    """What precedes `left` so that it is passed over where the loaded value is at least `bound`.

    A conditional jump reaches 255 instructions; beyond that it jumps around a plain one.
    """
    if len(left) <= _LONGEST_CONDITIONAL:
        return (Instruction(JUMP_IF_AT_LEAST, bound, len(left), _SHORTEST_WAY),)
    return (Instruction(JUMP_IF_AT_LEAST, bound, 0, 1), Instruction(JUMP, len(left)))


def encode(program: Program) -> bytes:
    """The kernel's array of struct sock_filter."""
    return b"".join(
        _INSTRUCTION.pack(one.code, one.then, one.otherwise, one.operand & 0xFFFFFFFF) for one in program
    )
