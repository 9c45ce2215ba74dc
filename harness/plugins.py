"""Finds what other packages provide: plugins declared as entry points, and optional imports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec

from harness.errors import UsageError, missing_extra


def discover(group: str) -> dict[str, EntryPoint]:
    """Map the names in an entry-point group to its entry points.

    Raises:
        UsageError: Two packages declare different plugins of one name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise UsageError(
                f"two plugins are named {point.name!r} in {group}: {other.value} and {point.value};"
                " uninstall one of them"
            )
    return found


def installed_version() -> str:
    """Return the version of this package as it is installed, for example ``0.2.0``."""
    return version("videor1")


def is_installed(module: str) -> bool:
    """Return whether a top-level module is installed; it is not imported and may be broken."""
    try:
        return find_spec(module) is not None
    except ValueError:  # replaced in sys.modules by None or by something without a spec
        return False


@contextmanager
def importing(module: str, extra: str | None, package: str | None = None) -> Iterator[None]:
    """Wrap the import statements of an optional package; every such import goes through here.

    Args:
        module: The top-level module, for example ``rouge_score``.
        extra: The extra of this project that installs it; None: a package of its own.
        package: The name of the package where it is not that of the module.

    Raises:
        UsageError: The package is not installed, or it is and its import fails: the message then
            has the error of the import, because installing it again may not help.
    """
    package = package or module
    try:
        yield
    except Exception as error:
        if _is_absent(module, error):
            raise missing_extra(package, extra) from None
        raise UsageError(
            f"{package} is installed but cannot be imported: {_describe_import_error(error)};"
            " repair it or install another version of it"
        ) from error


def require(module: str, extra: str | None, package: str | None = None) -> None:
    """Import an optional package now, to learn whether it works.

    Raises:
        UsageError: It is not installed, or its import fails.
    """
    with importing(module, extra, package):
        import_module(module)


def _is_absent(module: str, error: Exception) -> bool:
    """Return whether an import failed because the package itself is not there."""
    return (
        isinstance(error, ModuleNotFoundError)
        and (error.name or "").partition(".")[0] == module
        and not is_installed(module)
    )


def _describe_import_error(error: BaseException) -> str:
    """Return the error and what it was raised from, each as ``Class: first line``."""
    texts: list[str] = []
    one: BaseException | None = error
    while one is not None and len(texts) < 3:
        first = next((line for line in str(one).splitlines() if line.strip()), "")
        texts.append(f"{type(one).__name__}: {first.strip()}")
        one = one.__cause__
    return "; caused by ".join(dict.fromkeys(texts))
