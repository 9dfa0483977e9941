"""Random histories: several processes on one store answer like one dictionary of what was written."""

from engines import Engine, MemoryEngine
from histories import run_histories


def test_random_histories_read_like_a_dictionary(engine: Engine) -> None:
    run_histories(engine, examples=20 if isinstance(engine, MemoryEngine) else 3, steps=20)
