"""What every local server has in common: the shape of the modules in `stack/services/`."""

from pathlib import Path
from typing import Protocol

from stack.layout import Stack
from stack.program import Program


class Service(Protocol):
    """One server: where its program is, how it is prepared and started, when it counts as ready."""

    @property
    def name(self) -> str: ...

    def address(self, stack: Stack) -> str:
        """Where clients reach it, as `status` shows it."""
        ...

    def prepare(self, stack: Stack) -> Program:
        """Write its configuration and first data; what the supervisor is to run. Harmless when done before.

        Raises:
            StackError: its program is not here, or its data cannot be made.
        """
        ...

    def is_ready(self, stack: Stack) -> bool:
        """Does it answer as itself? Never raises for a server that is still starting."""
        ...

    def after_start(self, stack: Stack) -> None:
        """Make what clients expect to find in it. Harmless when done before.

        Raises:
            StackError: its data belongs to other credentials.
        """
        ...


def make_private(folder: Path) -> Path:
    """A server's data folder, for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
