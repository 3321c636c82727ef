"""``jax.lax``."""

from tests.coverage.libraries import lax_elementwise, lax_shapes, lax_structure

EXAMPLES = [*lax_elementwise.EXAMPLES, *lax_shapes.EXAMPLES, *lax_structure.EXAMPLES]
