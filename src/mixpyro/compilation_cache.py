"""JAX's compilation cache on disk: what one process compiled, the next one reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def enable_compilation_cache(path: str | os.PathLike | None = None) -> Path:
    """Let JAX keep what it compiles, for this process and those to come.

    This sets global JAX settings (``jax_compilation_cache_dir``, and that small and quick programs
    are kept too), for all that the process compiles from here on; mixpyro never does so by itself.
    The command line does. Entries are of one version of JAX and one kind of device; old ones stay
    until the folder is deleted, which is safe at any time.

    Args:
        path: the folder, made if missing; by default that of the environment variable
            ``JAX_COMPILATION_CACHE_DIR``, else ``mixpyro/xla`` in the user's folder for caches.

    Returns:
        The folder.

    Raises:
        ValueError: the folder cannot be made or written.
    """
    import jax

    given = path if path is not None else os.environ.get("JAX_COMPILATION_CACHE_DIR")
    folder = Path(given) if given else _user_caches() / "mixpyro" / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the compilation cache {folder} cannot be made: {error}") from error
    if not os.access(folder, os.W_OK):
        raise ValueError(f"the compilation cache {folder} cannot be written; name another folder")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def _user_caches() -> Path:
    """Where this system keeps a user's caches."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
