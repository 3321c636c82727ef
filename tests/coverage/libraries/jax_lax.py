"""``jax.lax``."""

from tests.coverage.libraries import lax_elementwise, lax_structure

EXAMPLES = [*lax_elementwise.EXAMPLES, *lax_structure.EXAMPLES]
