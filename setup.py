"""Leave test modules out of the distribution, which pyproject.toml has no setting for.

Everything else that describes the distribution is in pyproject.toml.
"""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithoutTests(build_py):
    """``build_py`` that skips ``*_test.py``, which lie beside the modules that they test."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Return ``(package, module, file)`` of the modules of ``package`` that are no tests."""
        modules = super().find_package_modules(package, package_dir)
        return [found for found in modules if not found[1].endswith("_test")]


setup(cmdclass={"build_py": BuildWithoutTests})
