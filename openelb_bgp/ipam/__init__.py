"""Which Service gets which address, and why not. Pure: a snapshot in, an Allocation out.

`allocate` is the way in. Writing statuses is left to `report`, telling overlapping pools to `admission`.
"""

from .allocation import NEEDED, Allocation, allocate
from .claims import Given
from .decisions import Decision
from .pools import Rules
from .usage import PoolUse

__all__ = ["NEEDED", "Allocation", "Decision", "Given", "PoolUse", "Rules", "allocate"]
