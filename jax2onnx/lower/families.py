"""Families of lowering rules that few models need: each is imported when one of its primitives is.

This saves the time of importing them, and a change of one of them reruns only the tests that need
it. To add a family, add its module below ``rules`` here; all other modules of ``rules`` are
imported at once.
"""

_PRIMITIVES = {
    "devices": (
        "all_gather all_gather_invariant all_gather_reduced all_to_all axis_index layout_constraint"
        " pbroadcast pbroadcast_dynamic pmax pmin ppermute preduced psum psum_invariant pvary"
        " reduce_scatter reduced_vary_cast relayout reshard shard_alike shard_map"
        " sharding_constraint unreduced_pmax unreduced_pmin unreduced_psum"
        " unreduced_reduce_scatter vary_unreduced_cast"
    ),
    "linalg.cholesky": "cholesky cholesky_update symmetric_product",
    "linalg.eig": "eig",
    "linalg.eigh": "eigh",
    "linalg.hessenberg": "hessenberg tridiagonal",
    "linalg.lu": "lu lu_pivots_to_permutation",
    "linalg.qr": "geqp3 geqrf householder_product ormqr qr",
    "linalg.schur": "schur",
    "linalg.svd": "svd",
    "linalg.triangular": "custom_linear_solve triangular_solve",
    "linalg.tridiagonal": "tridiagonal_solve",
    "random": (
        "dropout iota_2x32_shape philox2x32 philox4x32 random_gamma rng_bit_generator rng_uniform"
        " threefry2x32 threefry4x32"
    ),
}
"""The names of each family's primitives, in all supported releases of JAX."""

FAMILIES = {
    name: f"jax2onnx.lower.rules.{module}"
    for module, names in _PRIMITIVES.items()
    for name in names.split()
}
"""The module that holds the rule of a primitive, by the name of the primitive."""
