"""Public symbols that are not computations, each with the rule that excludes it.

A symbol is excluded only when JAX has nothing to trace: it is a type, a constant or a
transformation of objects, or JAX itself refuses it under ``jax.jit``. For the last rule,
``REFUSED`` has a call that JAX refuses, which a test checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

REASONS = {
    "primitive": "the primitive behind a function; see [primitives.md](primitives.md)",
    "type": "a type or a base class, which computes nothing by itself",
    "constant": "a value",
    "static": "depends only on shapes and dtypes, and returns no array",
    "host": "works in Python on files, text or objects, not on traced arrays",
    "concrete": "needs concrete values, so JAX refuses it under `jit`",
    "backend": "distributes work over devices, or has no CPU kernel in JAX",
    "object": "handles modules, variables, metadata or random streams, and computes no array",
}


def _listed(**symbols: str) -> dict[str, str]:
    return {symbol: reason for reason, names in symbols.items() for symbol in names.split()}


EXCLUDED: dict[str, dict[str, str]] = {
    "jax.numpy": _listed(
        type="ComplexWarning finfo iinfo object_",
        static=(
            "broadcast_shapes can_cast einsum_path isdtype issubdtype iterable "
            "promote_types result_type"
        ),
        host=(
            "array_repr array_str from_dlpack frombuffer fromfile fromiter fromstring "
            "get_printoptions load printoptions save savez set_printoptions"
        ),
        concrete="trim_zeros",
    ),
    "jax.lax": _listed(
        type=(
            "AccuracyMode ConvDimensionNumbers ConvGeneralDilatedDimensionNumbers "
            "DotAlgorithm DotAlgorithmPreset DotDimensionNumbers FftType "
            "GatherDimensionNumbers GatherScatterMode Precision PrecisionLike "
            "RaggedDotDimensionNumbers RandomAlgorithm RoundingMethod "
            "ScatterDimensionNumbers Tolerance"
        ),
        static=(
            "broadcast_shapes conv_dimension_numbers conv_general_permutations "
            "conv_general_shape_tuple conv_shape_tuple conv_transpose_shape_tuple dtype "
            "padtype_to_pads reduce_window_shape_tuple"
        ),
        backend="pbroadcast pcast precv psend psum_scatter_start ragged_all_to_all",
    ),
    "jax.lax.linalg": _listed(type="EigImplementation EighImplementation SvdAlgorithm"),
    "jax.nn": _listed(
        static="get_scaled_dot_general_config", backend="scaled_dot_general scaled_matmul"
    ),
    "jax.nn.initializers": _listed(type="Initializer"),
    "jax.random": _listed(type="Key", static="key_dtype key_impl"),
    "jax.image": _listed(type="ResizeMethod"),
    "flax.nnx": _listed(
        type=(
            "All Any BatchStat Cache Carry Data DiffState Everything FlatState GraphDef "
            "GraphState Initializer Intermediate LoRAParam MergeContext Metric NodeStates "
            "Not Nothing Object OfType OptArray OptState OptVariable PathContains "
            "Perturbation PureState Pytree RNNCellBase RngCount RngKey RngState RngStream "
            "SplitContext State StateAxes StateSharding Static TrainState UpdateContext "
            "VariableMetadata WithTag Param Variable Rngs Module List Dict"
        ),
        object=(
            "abstract_with_sharding as_abstract as_pure call check_pytree "
            "current_update_context data dataclass display filter_state find_duplicates "
            "flatten fork_rngs from_flat_state from_tree get_abstract_model "
            "get_named_sharding get_partition_spec graphdef has_data is_data iter_children "
            "iter_graph iter_module_children iter_modules logical_axis_rules map_state "
            "merge_context merge_state pop prefix pure recursive_map register_data_type "
            "register_variable_name replace_by_pure_dict reseed restore_int_paths "
            "restore_rngs set_graph_mode set_graph_updates set_metadata split_context "
            "split_state static to_flat_state to_pure_dict to_tree transform_metadata "
            "unflatten unpack update_context use_eager_sharding using_eager_sharding "
            "var_defaults variable_name_from_type variable_type_from_name variables vars_as "
            "view view_info with_attributes with_metadata with_partitioning with_rngs "
            "with_vars"
        ),
        host="make_jaxpr tabulate",
        backend="pmap shard_map",
    ),
    "flax.linen": _listed(
        type=("DenyList FrozenDict LogicallyPartitioned Module Partitioned RNNCellBase Variable"),
        object=(
            "add_metadata_axis compact compact_name_scope disable_named_call "
            "enable_named_call get_logical_axis_rules get_partition_spec get_sharding "
            "intercept_methods logical_axis_rules logical_to_mesh logical_to_mesh_axes "
            "logical_to_mesh_sharding merge_param nowrap override_named_call "
            "set_logical_axis_rules share_scope unbox with_logical_partitioning "
            "with_partitioning"
        ),
        host="tabulate",
    ),
}


def _trim_zeros(x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.trim_zeros(x)


REFUSED: dict[tuple[str, str], Callable[[Any], Any]] = {("jax.numpy", "trim_zeros"): _trim_zeros}
"""For each symbol that is excluded as ``concrete``, a call that JAX refuses to trace."""
