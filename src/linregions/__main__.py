"""``python -m linregions``: the same as the command ``linregions``."""

from .cli.app import main

if __name__ == "__main__":
    main()
