"""``jax.numpy``."""

from tests.coverage.libraries import jnp_elementwise, jnp_reductions, jnp_shapes

EXAMPLES = [*jnp_elementwise.EXAMPLES, *jnp_reductions.EXAMPLES, *jnp_shapes.EXAMPLES]
