"""NumPyro loaded as a whole, whatever was imported before.

ArviZ loads NumPyro lazily. Where a sub-package of a lazy package is imported first, Python runs it
twice, and the copy that stays lacks its own modules (``numpyro.distributions.distribution``), for
which NumPyro itself fails. They are put back here, where the import system would have put them.
"""

import sys

import numpyro

_VERSION = numpyro.__version__  # a first look loads what is lazy
for _name, _module in list(sys.modules.items()):
    _package, _, _last = _name.rpartition(".")
    _parent = sys.modules.get(_package)
    if _package.partition(".")[0] == "numpyro" and not hasattr(_parent, _last):
        setattr(_parent, _last, _module)
