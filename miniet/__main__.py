"""`python -m miniet`: the command line."""

from miniet.cli import main

main(prog_name="miniet")
