"""Where objects come from and where statuses go, opened as the settings say: a folder, or a cluster.

Everything above sees a Store, a Source and StatusSinks, and knows no more. What only one of the two needs is
imported when it is opened.
"""

from .origin import Lead, Origin, Post, StoredStatuses
from .starting import exit_code_of, feed, opened

__all__ = ["Lead", "Origin", "Post", "StoredStatuses", "exit_code_of", "feed", "opened"]
