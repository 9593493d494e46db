"""`python -m uadbench COMMAND …`: the command line of the library."""

from uadbench.cli import main

if __name__ == "__main__":
    main()
