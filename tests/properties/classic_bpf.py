"""Classic BPF interpreted, as far as our filters use it (Linux, Documentation/networking/filter.rst)."""

from collections.abc import Mapping

from openelb_bgp.host import bpf

_SIZES = {bpf.LOAD_WORD: 4, bpf.LOAD_HALF: 2, bpf.LOAD_BYTE: 1}


def accepts(program: bpf.Program, frame: bytes, ancillary: Mapping[int, int]) -> bool:
    """Whether the kernel would deliver the frame. A load beyond its end drops it, as there."""
    assert len(program) <= bpf.MOST_INSTRUCTIONS
    loaded, aside, position = 0, 0, 0
    while True:
        code, operand, then, otherwise = program[position]
        position += 1
        match code:
            case bpf.LOAD_WORD | bpf.LOAD_HALF | bpf.LOAD_BYTE:
                end = operand + _SIZES[code]
                if operand in ancillary:
                    loaded = ancillary[operand]
                elif end > len(frame):
                    return False
                else:
                    loaded = int.from_bytes(frame[operand:end])
            case bpf.LOAD_LENGTH:
                loaded = len(frame)
            case bpf.LOAD_CONSTANT:
                loaded = operand
            case bpf.TO_X:
                aside = loaded
            case bpf.AND:
                loaded &= operand
            case bpf.SHIFT_RIGHT:
                loaded >>= operand
            case bpf.SHIFT_RIGHT_BY_X:
                loaded >>= aside
            case bpf.JUMP:
                position += operand
            case bpf.JUMP_IF_EQUAL:
                position += then if loaded == operand else otherwise
            case bpf.JUMP_IF_AT_LEAST:
                position += then if loaded >= operand else otherwise
            case bpf.RETURN:
                return operand != 0
            case _:
                raise AssertionError(f"not an instruction of ours: {code:#x}")
        assert 0 <= then <= 255 and 0 <= otherwise <= 255
