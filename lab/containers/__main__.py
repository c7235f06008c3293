"""Entry point of `python -m lab.containers`."""

from lab.containers.cli import main

main()
