"""A folder of manifests as a cluster: the Source and the sinks that need no Kubernetes.

Manifests are read from files, statuses and allocations live in SQLite under the state folder.
"""
