"""What crosses devices: the collectives of every program that XLA compiles while a block runs."""

import math
import re
from contextlib import contextmanager

import jax

_KINDS = ("all-gather", "all-to-all", "collective-permute", "all-reduce", "reduce-scatter")
_LINE = re.compile(rf"= (\(.*?\)|\S+) ({'|'.join(_KINDS)})(?:-start)?\(")
_ARRAY = re.compile(r"\w+\[([\d,]*)\]")


def collectives(text):
    """(kind, the number of entries of its largest result) of each."""
    found = []
    for result, kind in _LINE.findall(text):
        sizes = [math.prod(map(int, filter(None, s.split(",")))) for s in _ARRAY.findall(result)]
        found.append((kind, max(sizes)))
    return found


@contextmanager
def watched():
    """{function: its collectives}, as XLA has them in the end."""
    from jax._src import compiler

    own, seen = compiler.backend_compile_and_load, {}

    def compile_and_load(*args, **kwargs):
        made = own(*args, **kwargs)
        for module in made.hlo_modules():
            seen.setdefault(module.name, []).extend(collectives(module.to_string()))
        return made

    compiler.backend_compile_and_load = compile_and_load
    before = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        yield seen
    finally:
        compiler.backend_compile_and_load = own
        jax.config.update("jax_enable_compilation_cache", before)
