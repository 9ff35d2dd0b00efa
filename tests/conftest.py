"""The whole suite runs in float64, with strict promotion, checked shapes, and every warning an error."""

import itertools
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

# Most of the suite's time is compilation, and every claim is measured twice: what one test has compiled, all workers
# and the commands they start may use. JAX reads these on import; the first process owns the directory.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="solvable-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "0"

# Each worker has one core: threads of linear algebra beside each other would wait for each other, sixty times as long.
if "OPENBLAS_NUM_THREADS" not in os.environ:
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# The emitters of fusions set up a compiler of their own for every program: without them, and with fewer passes over
# what is small anyway, a test takes two thirds of the time. The compiler's own threads may wait for each other forever,
# where several decompositions run at once. XLA stops at flags it does not know, so only where tried.
if version("jaxlib").startswith("0.10."):
    _flags = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1 --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = f"{_flags} {os.environ.get('XLA_FLAGS', '')}".strip()

import jax
import matplotlib as mpl
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("Agg")

# Shapes and dtypes are checked in every room that has array types; claims and the forecast hold labelled data.
_ROOMS = ("numerics", "tasks", "networks", "training", "estimators", "theory", "instruments")
install_import_hook([f"solvable.{room}" for room in _ROOMS], "checked_types.checked")


_finished = itertools.count(1)


def pytest_runtest_teardown():
    """Compiled programs hold maps of memory, of which Linux gives a process 65,530: a worker of many tests runs out."""
    maps = Path("/proc/self/maps")
    if next(_finished) % 10 == 0 and maps.exists() and maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
