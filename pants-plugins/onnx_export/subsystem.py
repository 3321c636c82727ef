"""The options of the plugin: `[onnx-export]` in pants.toml."""

from __future__ import annotations

from pants.option.option_types import BoolOption, IntOption, SkipOption, StrListOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


class OnnxExport(Subsystem):
    options_scope = "onnx-export"
    name = "ONNX export"
    help = softwrap(
        """
        Export of models to ONNX, as cached and hermetic build steps.

        The plugin only arranges processes. What runs in them are modules of the repository: the
        drivers named below, each called as `python -m <module> spec.json`.
        """
    )

    skip = SkipOption("test")
    resolve = StrOption(
        default="export",
        help=softwrap(
            """
            The resolve (see `[python].resolves`) whose lock an export runs in, unless the target's
            `resolve` field says otherwise.
            """
        ),
    )
    require_cuda = BoolOption(
        default=False,
        help=softwrap(
            """
            Fail an `onnx_parity_test` of `execution_provider="cuda"` where there is no CUDA device,
            instead of skipping it with a warning. Set it on the machines whose purpose is to run
            those tests.
            """
        ),
    )
    weights_folders = StrListOption(
        default=[],
        help=softwrap(
            """
            Folders in which the files of `pinned_weights` are looked for before anything is
            downloaded, each file under the name of its sha256 (`<sha256>` or `sha256/<sha256>`).
            What is found is linked, never copied.
            """
        ),
    )
    weights_env_vars = StrListOption(
        default=[
            "HF_TOKEN",
            "HF_ENDPOINT",
            "HOME",
            *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
            *("https_proxy", "http_proxy", "all_proxy", "no_proxy"),
            *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        ],
        advanced=True,
        help=softwrap(
            """
            Environment variables handed to the process that downloads weights. No other process of
            this plugin sees any variable of your environment, and none of these is part of a cache
            key.
            """
        ),
    )
    by_reference_above = IntOption(
        default=256_000_000,
        advanced=True,
        help=softwrap(
            """
            Weights of more bytes than this are never copied: they are neither laid beside the
            artifact nor, where a generator makes them, kept in the cache of processes.
            """
        ),
    )
    driver = StrOption(
        default="exporters.drivers.build",
        advanced=True,
        help="The module that exports a model.",
    )
    parity_driver = StrOption(
        default="exporters.drivers.parity",
        advanced=True,
        help="The module that runs a parity test.",
    )
    weights_driver = StrOption(
        default="exporters.drivers.provide",
        advanced=True,
        help="The module that generates synthetic weights and downloads pinned ones.",
    )
    summary = StrOption(
        default="exporters.artifact.summary",
        advanced=True,
        help=softwrap(
            """
            The module whose `render` turns a manifest into the summary that `run` prints. It runs
            in Pants' own interpreter, so it imports nothing but the standard library.
            """
        ),
    )
