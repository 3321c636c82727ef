"""The libraries of the zoo, and the environments in which they are installed together."""

from __future__ import annotations

from dataclasses import dataclass

PUBLIC = ("jax2onnx==0.17.1", "jax==0.10.2")
"""The public exporter, and the release of JAX for which it was made."""


@dataclass(frozen=True)
class Library:
    """A library with models.

    Attributes:
        name: its name in the table and on the command line.
        distribution: its name in the package index.
        module: the module in ``tests/zoo/libraries`` that declares its models.
        group: the environment in which it is installed.
        requirements: more that its models need, beside the distribution.
        light: whether it is among the packages of the normal tests, which then run a sample.
    """

    name: str
    distribution: str
    module: str
    group: str
    requirements: tuple[str, ...] = ()
    light: bool = False


@dataclass(frozen=True)
class Group:
    """Libraries that are installed in one environment.

    Attributes:
        name: its name.
        jax: the requirement of JAX.
        python: the version of CPython.
    """

    name: str
    jax: str = "jax>=0.12,<0.13"
    python: str = "3.12"

    @property
    def libraries(self) -> list[Library]:
        """Its libraries."""
        return [library for library in LIBRARIES if library.group == self.name]

    def packages(self, exporter: str) -> list[str]:
        """Return the requirements of its environment for an exporter, ``ours`` or ``public``."""
        needed = [r for each in self.libraries for r in (each.distribution, *each.requirements)]
        exporters = (self.jax, "onnx-ir", "onnxruntime") if exporter == "ours" else PUBLIC
        return [*exporters, *dict.fromkeys(needed)]


GROUPS = (
    Group("core"),
    Group("keras"),
    Group("transformers"),
    Group("solvers"),
    Group("learning"),
    Group("probability"),
    Group("numerics"),
)

LIBRARIES = (
    Library("jax", "jax", "jax_spellings", "core", ("equinox", "flax", "dm-pix"), light=True),
    Library("flax.nnx", "flax", "flax_nnx", "core", light=True),
    Library("flax.linen", "flax", "flax_linen", "core", light=True),
    Library("equinox", "equinox", "equinox_models", "core", light=True),
    Library("dm-pix", "dm-pix", "dm_pix_functions", "core", light=True),
    Library("einops", "einops", "einops_functions", "core"),
    Library("keras", "keras", "keras_models", "keras"),
    Library("keras.applications", "keras", "keras_applications", "keras"),
    Library(
        "transformers",
        "transformers",
        "transformers_models",
        "transformers",
        ("transformers<5", "flax"),
    ),
    Library("diffrax", "diffrax", "diffrax_solvers", "solvers"),
    Library("lineax", "lineax", "lineax_solvers", "solvers"),
    Library("optimistix", "optimistix", "optimistix_solvers", "solvers"),
    Library("jaxopt", "jaxopt", "jaxopt_solvers", "solvers"),
    Library("quadax", "quadax", "quadax_functions", "solvers"),
    Library("interpax", "interpax", "interpax_functions", "solvers"),
    Library("ott", "ott-jax", "ott_transport", "solvers"),
    Library("haiku", "dm-haiku", "haiku_models", "learning"),
    Library("optax", "optax", "optax_functions", "learning"),
    Library("jraph", "jraph", "jraph_networks", "learning"),
    Library("e3nn-jax", "e3nn-jax", "e3nn_functions", "learning"),
    Library("rlax", "rlax", "rlax_functions", "learning"),
    Library("mctx", "mctx", "mctx_searches", "learning"),
    Library("rax", "rax", "rax_functions", "learning"),
    Library("distrax", "distrax", "distrax_functions", "probability"),
    Library("tensorflow-probability", "tfp-nightly", "tfp_functions", "probability"),
    Library("numpyro", "numpyro", "numpyro_models", "probability"),
    Library("blackjax", "blackjax", "blackjax_kernels", "probability"),
    Library("tinygp", "tinygp", "tinygp_processes", "probability"),
    Library("flowjax", "flowjax", "flowjax_flows", "probability"),
    Library("s2fft", "s2fft", "s2fft_transforms", "numerics"),
    Library("jaxlie", "jaxlie", "jaxlie_groups", "numerics"),
    Library("signax", "signax", "signax_functions", "numerics"),
    Library("exponax", "exponax", "exponax_steppers", "numerics"),
    Library("pdequinox", "pdequinox", "pdequinox_models", "numerics"),
)
