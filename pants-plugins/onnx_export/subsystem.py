"""The options of the plugin, ``[onnx-export]`` in pants.toml."""

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

        The plugin only arranges processes. They run the drivers that the options below name, each
        as `python -m <module> <request.json>`. The drivers come from the package `onnx-exporters`
        in the lockfile of the resolve, or from sources of the repository with the same names.
        """
    )

    skip = SkipOption("test")
    resolve = StrOption(
        default="export",
        help=softwrap(
            """
            The resolve (see `[python].resolves`) whose lockfile an export runs with, unless the
            target has a `resolve` field.
            """
        ),
    )
    require_cuda = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether an `onnx_parity_test` of `execution_provider="cuda"` fails on a machine without
            a CUDA device. By default it is skipped with a warning. Set this option on machines that
            are meant to run those tests.
            """
        ),
    )
    required_clients = StrListOption(
        default=[],
        help=softwrap(
            """
            The clients without which an `onnx_client_test` fails. By default it is skipped with a
            warning. Set this option on machines that are meant to run those tests.
            """
        ),
    )
    clients_folder = StrOption(
        default=None,
        help=softwrap(
            """
            The folder that `build-support/install_clients` installs clients into. By default
            `onnx-exporters/clients` below `XDG_CACHE_HOME`, or else below `~/.cache`.
            """
        ),
    )
    weights_folders = StrListOption(
        default=[],
        help=softwrap(
            """
            Folders that may hold the files of `pinned_weights`, each file under its SHA-256
            (`<sha256>` or `sha256/<sha256>`). They are searched before anything is downloaded.
            Files that are found are linked and not copied.
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
            The environment variables that the process which downloads weights receives. No other
            process of this plugin sees any variable of your environment, and none of these is part
            of a cache key.
            """
        ),
    )
    by_reference_above = IntOption(
        default=256_000_000,
        advanced=True,
        help=softwrap(
            """
            Weights of more bytes than this are never copied. They are not placed beside the
            artifact and, if a generator makes them, they are not kept in the cache of processes.
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
    cases_driver = StrOption(
        default="exporters.drivers.cases",
        advanced=True,
        help="The module that computes what clients are compared with.",
    )
    clients_scripts = StrOption(
        default="exporters/clients",
        advanced=True,
        help="The folder of the scripts `run_python.py` and `run_node.mjs`, which run clients.",
    )
    weights_driver = StrOption(
        default="exporters.drivers.provide",
        advanced=True,
        help="The module that generates synthetic weights and downloads pinned weights.",
    )
