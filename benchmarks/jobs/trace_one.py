"""The least that converting a function of one operation costs: import jax, and trace it."""

import jax
import jax.numpy as jnp

jax.make_jaxpr(jnp.sin)(jax.ShapeDtypeStruct((2, 3), jnp.float32))
