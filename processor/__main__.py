"""`processor` and `python -m processor`."""

from processor.cli import main

if __name__ == "__main__":
    main()
