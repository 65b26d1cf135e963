"""Entry point: `pointsman ...` and `python -m pointsman.cli ...`."""

import typer

from pointsman.cli.app import app


def main() -> None:
    """Run the command that the arguments name; ends the process with its exit status."""
    typer.main.get_command(app)(prog_name="pointsman")


if __name__ == "__main__":
    main()
