"""The command line: `mixpyro fit`, `predict`, `sample`, `models`, `demo` and `--version`.

All but the demo need the extra ``cli``; without it the demo and the version are here.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from . import __version__, enable_compilation_cache

_EXTRA = ("typer", "rich", "pyarrow", "jinja2")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; by default those of the process.

    Returns:
        The exit status: 0 on success, 1 for a fit that is not ok, 2 for bad input or no command.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if not missing:
        from .cli.app import run

        return run(given)
    if given and given[0] in ("fit", "predict", "sample", "models"):
        print(
            f"error: `mixpyro {given[0]}` needs {', '.join(missing)}, which the extra brings: "
            "pip install 'mixpyro[cli]'",
            file=sys.stderr,
        )
        return 2
    return _without_the_extra(given)


def demonstrate(out: Path) -> int:
    """The demo, with its files in this folder."""
    from .demo import run  # here, so that --help and --version need not load JAX

    enable_compilation_cache()
    out.mkdir(parents=True, exist_ok=True)
    run(out)
    return 0


def _without_the_extra(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="mixpyro",
        description="Finite mixtures as NumPyro models, fitted by EM in JAX.",
        epilog="fit, predict, sample and models come with the extra: pip install 'mixpyro[cli]'",
    )
    parser.add_argument("--version", action="version", version=f"mixpyro {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser("demo", help="fit the Old Faithful data by EM, check it with NUTS")
    demo.add_argument("--out", type=Path, default=Path("mixpyro-demo"), metavar="FOLDER")
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    return demonstrate(arguments.out)


if __name__ == "__main__":
    sys.exit(main())
