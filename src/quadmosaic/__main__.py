"""`python -m quadmosaic`."""

from quadmosaic.cli import main

main()
