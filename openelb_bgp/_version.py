"""Written by protos/build.py; not in version control."""

__version__ = "0.1.0.dev0+g72e73ce"
