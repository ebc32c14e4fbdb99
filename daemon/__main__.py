"""`python -m daemon` is `foodsort`."""

from daemon.cli import main

main()
