"""The exact shape of the objects on the wire: what users write and what the API server sends.

Structs in camelCase, with types, ranges and descriptions; the CRDs' schemas and the reference are generated
from them. Nothing is decided here: `decode` makes model values of them. A field's `extra` says more: `vital`
(an object with a bad value there cannot be used), `secret` (its value is never shown), `required` (for the
schema; the structs themselves default everything, so that an incomplete object is read to its end), `ours`
(OpenELB does not have it, so that no object from its days does either), `remedy`, what to write instead, and
what the reference tells of it besides: `default`, `example`, `modes` and `edit`.
"""
