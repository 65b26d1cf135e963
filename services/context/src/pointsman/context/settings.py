"""Settings of the context service, read once in `__main__`."""

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from pointsman.eventstore.service import LogSettings


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`."""

    pool: str = "main"
    """The pool whose behaviour may change the size of the context pool."""
    context_budget_tokens: PositiveInt = 512
    """Most tokens of context and input together where a task names none."""
    context_pool_bytes: NonNegativeInt = 8 * 1024 * 1024
    """Memory for recently used conversations at the first start; 0: none."""
    context_response_ttl_s: PositiveFloat = 3600.0
    """How long a result may be used again, from its completion."""
    context_responses: PositiveInt = 10_000
    """Most results that may be used again; the oldest goes out."""
