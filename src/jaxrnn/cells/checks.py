"""The one way in which a wrong argument is reported: its name, the rule, the value, on one line."""

from __future__ import annotations

from numbers import Integral

import jax
import jax.numpy as jnp


def require(condition: bool, argument: str, rule: str, value: object) -> None:
    """Raises ``ValueError("`argument` must rule; got value")`` unless `condition` holds."""
    if not condition:
        raise ValueError(f"`{argument}` must {rule}; got {value}")


def require_size(argument: str, value: object) -> None:
    """Raises ValueError unless `value` is a positive integer, NumPy's included, and not a bool."""
    ok = isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0
    require(ok, argument, "be a positive integer", repr(value))


def require_floating(argument: str, array: jax.Array) -> None:
    """Raises ValueError unless `array` has a floating (or complex) dtype."""
    rule = "have a floating-point dtype (embed symbols or encode them one-hot first)"
    require(jnp.issubdtype(array.dtype, jnp.inexact), argument, rule, array.dtype)
