"""The command line: `mixpyro demo` and `mixpyro --version`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__, enable_compilation_cache


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; by default those of the process.

    Returns:
        The exit status: 0 on success, 2 when no command was given.
    """
    parser = argparse.ArgumentParser(
        prog="mixpyro", description="Finite mixtures as NumPyro models, fitted by EM in JAX."
    )
    parser.add_argument("--version", action="version", version=f"mixpyro {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser("demo", help="fit the Old Faithful data by EM, check it with NUTS")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("mixpyro-demo"),
        metavar="FOLDER",
        help="folder for tables and figures, made if missing (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2

    from .demo import run  # here, so that --help and --version need not load JAX

    enable_compilation_cache()
    arguments.out.mkdir(parents=True, exist_ok=True)
    run(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
