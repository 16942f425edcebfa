"""The command line: one file a command."""


def main() -> None:
    """As `linregions.cli.app.main`, which the scripts of older installations look for here."""
    from .app import main

    main()
