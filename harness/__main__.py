"""`python -m harness COMMAND …`: the command line of the library."""

from harness.cli import main

if __name__ == "__main__":
    main()
