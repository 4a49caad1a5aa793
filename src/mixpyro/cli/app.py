"""The commands: `mixpyro fit | predict | sample | models | demo`."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from .. import __version__, enable_compilation_cache
from .errors import BadInput

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    help="Finite mixtures as NumPyro models, fitted by EM in JAX.",
)
_LINE: list[str] = []
Many = list[str] | None


def run(argv: Sequence[str]) -> int:
    """Run a command; 0: ok, 1: a fit that is not ok, 2: bad input, said in one sentence."""
    _LINE[:] = argv
    command = typer.main.get_command(app)
    try:
        return int(command.main(list(argv), prog_name="mixpyro", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except ValueError as error:  # of the library, whose messages name what is wrong
        return _say(str(error), 2)
    except Exception as error:
        if hasattr(error, "format_message"):  # an option that typer does not know
            hint = f" (see mixpyro {argv[0]} --help)" if argv else ""
            return _say(error.format_message().rstrip(".") + hint, 2)
        if hasattr(error, "exit_code"):
            return int(error.exit_code)
        if "--traceback" in argv:
            raise
        return _say(
            f"{type(error).__name__}: {error} (mixpyro did not expect this; --traceback shows "
            "where it happened)",
            2,
        )


def _say(words: str, code: int) -> int:
    print(f"error: {' '.join(words.split())}", file=sys.stderr)
    return code


@app.command()
def fit(
    data: Annotated[
        Path, typer.Argument(help="CSV, TSV, Parquet, Arrow or Feather; text also .gz")
    ],
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("mixpyro-fit"),
    model: Annotated[
        str, typer.Option(help="a name of `mixpyro models`, or file.py:function")
    ] = "auto",
    columns: Annotated[Many, typer.Option(help="columns to use: a,b or petal* or a:d")] = None,
    drop: Annotated[Many, typer.Option(help="columns to leave out")] = None,
    types: Annotated[
        Many,
        typer.Option(help="COLUMN=KIND,...: number, positive, count, binary, category, ignore"),
    ] = None,
    components: Annotated[
        str | None, typer.Option("--components", "-k", help="3, 1:9 or 2,4,6:8  [default: 1:6]")
    ] = None,
    covariance: Annotated[
        str | None, typer.Option(help="full, tied, diagonal, VEV, ... or all (of Gaussians)")
    ] = None,
    criterion: Annotated[str, typer.Option(help="bic, aic or icl: what is chosen by")] = "bic",
    weights: Annotated[str | None, typer.Option(help="column of row weights or counts")] = None,
    group: Annotated[str | None, typer.Option(help="column of groups with one class each")] = None,
    response: Annotated[Many, typer.Option(help="column that a regression explains")] = None,
    covariates: Annotated[Many, typer.Option(help="columns that explain it")] = None,
    intercept: Annotated[bool, typer.Option(help="whether covariates get a constant")] = True,
    set: Annotated[
        Many, typer.Option(help="another argument of the model: NAME=VALUE or NAME=@COLUMN")
    ] = None,
    missing: Annotated[
        Many, typer.Option(help="further texts that mean a gap, such as -999")
    ] = None,
    drop_missing: Annotated[bool, typer.Option(help="leave out rows with gaps")] = False,
    batches: Annotated[
        bool, typer.Option("--batches", help="read rows in batches: files larger than memory")
    ] = False,
    restarts: Annotated[int | None, typer.Option(help="starts of each fit")] = None,
    max_steps: Annotated[int, typer.Option(help="bound on EM steps")] = 10_000,
    order: Annotated[
        str, typer.Option(help="order of the classes: size, or an entry such as rate or loc[width]")
    ] = "size",
    names: Annotated[Many, typer.Option(help="what the classes are called, in that order")] = None,
    seed: Annotated[int, typer.Option(help="of the starts")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    traceback: Annotated[bool, typer.Option(hidden=True)] = False,
) -> int:
    """Fit mixtures to a table, choose one, and write a report."""
    from dataclasses import replace

    from . import files, fitting, in_batches, jobs, prepare
    from .options import names_of_classes
    from .progress import Bars

    if criterion not in jobs.CRITERIA:
        raise BadInput(f"--criterion is one of {', '.join(jobs.CRITERIA)}, not {criterion!r}")
    console = Console(stderr=as_json)
    progress_on = Console(stderr=True)
    with _in_double_precision():
        wanted = prepare.Wanted(
            data,
            shlex.join(["mixpyro", *_LINE]),
            model,
            columns or (),
            drop or (),
            types or (),
            components,
            covariance,
            weights,
            group,
            response or (),
            covariates or (),
            intercept,
            set or (),
            missing or (),
            drop_missing,
            seed,
        )
        table = in_batches.head(wanted) if batches else files.read(data, missing or ())
        prepared = replace(prepare.prepare(table, wanted), in_batches=batches)
        called = names_of_classes(names or (), prepared.cells)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"the folder {out} cannot be made: {error}") from error
        for name, why in list(prepared.left.items())[:8]:
            progress_on.print(f"[dim]left out {escape(repr(name))}: {escape(why)}[/]")
        for note in prepared.notes:
            progress_on.print(f"[dim]{escape(note)}[/]")
        options: dict[str, Any] = {"max_steps": max_steps}
        options |= {} if restarts is None else {"num_restarts": restarts}
        if batches:
            own = in_batches.arguments(prepared.recipe, data)
            options.setdefault("num_restarts", "auto")  # none is screened
        else:
            own = prepared.recipe.build(prepared.table)
        started = time.monotonic()
        with Bars(progress_on, fitting.total(prepared.cells, options)) as bars:
            arguments = own | prepared.recipe.keywords
            name = prepared.recipe.model
            job = jobs.Job(name, prepared.model, seed, arguments, options)
            found = fitting.fit_all(job, prepared.cells, criterion, bars, order, called)
        from .output import leave, show

        said = leave(out, prepared, found, time.monotonic() - started)
    if as_json:
        print(json.dumps(said, indent=1))
    else:
        show(console, said)
    return 0 if said["ok"] else 1


@app.command()
def predict(
    fit: Annotated[Path, typer.Argument(help="the folder of a fit, or its fit.npz")],
    data: Annotated[Path, typer.Argument(help="rows with the same columns")],
    out: Annotated[
        Path | None, typer.Option(help="file to write; CSV to the screen if none")
    ] = None,
    model: Annotated[str | None, typer.Option(help="file.py:function, where it moved")] = None,
    missing: Annotated[Many, typer.Option(help="further texts that mean a gap")] = None,
    traceback: Annotated[bool, typer.Option(hidden=True)] = False,
) -> int:
    """Give new rows their classes."""
    from . import files, results
    from .saved import loaded

    if out is not None:
        files.check_ending(out)
    with _in_double_precision():
        recipe, found = loaded(fit, model)
        table = files.read(data, [*recipe.missing, *(missing or ())])
        resp, density = results.posterior(found, recipe, table)
        _write(results.with_classes(table, resp, density, results.class_words(found)), out)
    return 0


@app.command()
def sample(
    fit: Annotated[Path, typer.Argument(help="the folder of a fit, or its fit.npz")],
    rows: Annotated[int | None, typer.Option(help="how many  [default: as many as fitted]")] = None,
    seed: Annotated[int, typer.Option(help="of the random numbers")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="file to write; CSV to the screen if none")
    ] = None,
    model: Annotated[str | None, typer.Option(help="file.py:function, where it moved")] = None,
    traceback: Annotated[bool, typer.Option(hidden=True)] = False,
) -> int:
    """Simulate rows from a fit."""
    import jax

    from . import files, results
    from .saved import loaded

    if out is not None:
        files.check_ending(out)
    if rows is not None and rows < 1:
        raise BadInput(f"--rows must be 1 or more, not {rows}")
    with _in_double_precision():
        recipe, found = loaded(fit, model)
        if rows is not None and recipe.group is not None:
            raise BadInput("groups have their own numbers of rows; leave --rows out")
        _write(results.simulated(found, recipe, rows, jax.random.key(seed)), out)
    return 0


@app.command("models")
def list_models(
    name: Annotated[str | None, typer.Argument(help="show one of them in full")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    traceback: Annotated[bool, typer.Option(hidden=True)] = False,
) -> int:
    """List the models of the collection."""
    from .. import models

    if name is not None:
        from .modelling import load_model

        print(inspect.getdoc(load_model(name)[0]))
        return 0
    found = {n: (inspect.getdoc(m) or "").splitlines()[0] for n, m in models.CATALOGUE.items()}
    if as_json:
        print(json.dumps(found, indent=1))
        return 0
    from rich.table import Table

    grid = Table(box=None)
    grid.add_column("model", no_wrap=True)
    grid.add_column("what it is")
    for n, words in found.items():
        grid.add_row(n, escape(words))
    console = Console()
    console.print(grid)
    console.print("\n`mixpyro models NAME` shows the formula, the arguments and the source.")
    return 0


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for tables and figures")] = Path("mixpyro-demo"),
    traceback: Annotated[bool, typer.Option(hidden=True)] = False,
) -> int:
    """Fit the Old Faithful data by EM, check it with NUTS."""
    from ..__main__ import demonstrate

    return demonstrate(out)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="show the version")] = False,
) -> None:
    """Finite mixtures as NumPyro models, fitted by EM in JAX."""
    if version:
        print(f"mixpyro {__version__}")
        raise typer.Exit(0)
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


def _in_double_precision() -> Any:
    import jax

    enable_compilation_cache()
    return jax.enable_x64(True)


def _write(table: Any, out: Path | None) -> None:
    from . import files

    if out is None:
        sys.stdout.write(files.text(table).decode())
        return
    files.write(table, out)
    print(f"{table.num_rows} rows written to {out}", file=sys.stderr)
