"""A Docker engine of one's own, and the images of this checkout in it.

It lives in namespaces of its own (network, processes, mounts), so its bridges and tables lie there, and
however we end, all of it ends. Nothing is pulled: `standins.py` makes what the Dockerfile builds upon.
"""
