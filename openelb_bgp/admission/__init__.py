"""Admission: what is wrong with objects that are right each by itself. Pure, no clock.

`check` gives every defect that takes several objects to see, `review` what is to be said to a change of one
object before it is stored; `blocked_pools` and `usable_pools` say which pools may give addresses. A GoBGP
policy's own text is read in `bgp.policy_toml`, and whether one node can do what is asked of it is the
announcers' matter.
"""

from .checks import check
from .pools import blocked_pools, usable_pools
from .review import Review, review

__all__ = ["Review", "blocked_pools", "check", "review", "usable_pools"]
