"""The command ``cspine-node``: one file for each family of commands, loaded only when a command of it is called."""

from node.cli.program import main

__all__ = ["main"]
