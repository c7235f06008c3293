"""`python -m openelb_bgp.sidecar`: the same as `openelb-bgp sidecar`, without the rest of the program."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
