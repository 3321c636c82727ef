"""What the conversion of a one-operation function cannot do without: import jax, and trace it."""

import jax
import jax.numpy as jnp

jax.make_jaxpr(jnp.sin)(jax.ShapeDtypeStruct((2, 3), jnp.float32))
