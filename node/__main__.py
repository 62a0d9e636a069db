"""``python -m node`` and the console command ``cspine-node``."""

from node.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
