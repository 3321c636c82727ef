"""Reads the version of a `python_distribution` from the package that it packs.

A BUILD file cannot read other files, so a version written there would be a second one. This is the
hook that Pants has for it: https://www.pantsbuild.org/v2.17/docs/plugins-setup-py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pants.backend.python.target_types import PythonProvidesField
from pants.backend.python.util_rules.package_dists import SetupKwargs, SetupKwargsRequest
from pants.base.glob_match_error_behavior import GlobMatchErrorBehavior
from pants.engine.fs import DigestContents, PathGlobs
from pants.engine.rules import Get, collect_rules, rule
from pants.engine.target import InvalidFieldException, Target
from pants.engine.unions import UnionRule

_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class PackageVersionRequest(SetupKwargsRequest):
    """For targets whose `python_artifact` gives no version of its own."""

    @classmethod
    def is_applicable(cls, target: Target) -> bool:
        """Whether the version is to be read from the package."""
        return "version" not in target[PythonProvidesField].value.kwargs


@rule
async def package_version(request: PackageVersionRequest) -> SetupKwargs:
    """The arguments given in the BUILD file, and `__version__` of the package beside it."""
    address = request.target.address
    file = str(PurePath(address.spec_path, "__init__.py"))
    found = await Get(
        DigestContents,
        PathGlobs(
            [file], GlobMatchErrorBehavior.error, description_of_origin=f"the version of {address}"
        ),
    )
    version = _VERSION.search(found[0].content.decode())
    if version is None:
        raise InvalidFieldException(
            f'{address}: no line of {file} reads `__version__ = "1.2.3"`. Add one, or give the '
            "`version` in the `provides` field."
        )
    return SetupKwargs({**request.explicit_kwargs, "version": version[1]}, address=address)


def rules() -> Iterable[Any]:
    """The rules of this module."""
    return [*collect_rules(), UnionRule(SetupKwargsRequest, PackageVersionRequest)]
