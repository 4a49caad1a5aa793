"""A run that dies after so many writes of its checkpoint; what runs, read from a script's file."""

import importlib.util
from pathlib import Path

import pytest

from mixpyro.em.climb.record.checkpoint import Checkpoint


class Died(BaseException):
    pass


def fresh_surviving():
    """The module `surviving` of a test's own, whose data it may change."""
    spec = importlib.util.spec_from_file_location(
        "surviving", Path(__file__).with_name("surviving.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def die_after(writes, run, *args, **options):
    write, left = Checkpoint.keep, [writes]

    def dying(self, course=None):
        write(self, course)
        left[0] -= 1
        if not left[0]:
            raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "keep", dying)
        with pytest.raises(Died):
            run(*args, **options)
