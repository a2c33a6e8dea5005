"""Commands of the stack group."""

import typer


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
