"""Decoding: one Kubernetes object → a frozen model value, or what is wrong with it. Pure.

Shared by every source, by `validate` and by the admission webhook. What needs several objects (overlapping
pools, a second default) is in `admission`.
"""

from .decoding import Decoded, decode, decode_change, decode_json
from .metadata import api_version_of, kind_of

__all__ = ["Decoded", "api_version_of", "decode", "decode_change", "decode_json", "kind_of"]
