"""`python -m cli` is `dedup`."""

from cli.main import main

# Worker processes import this module again: only the first process may start the command.
if __name__ == "__main__":
    main()
