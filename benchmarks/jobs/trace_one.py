"""Import jax and trace a one-operation function, which every conversion has to do."""

import jax
import jax.numpy as jnp

jax.make_jaxpr(jnp.sin)(jax.ShapeDtypeStruct((2, 3), jnp.float32))
