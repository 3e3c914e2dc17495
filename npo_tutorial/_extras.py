"""Optional packages: imported when first needed, and named with their extra when absent."""

import importlib

EXTRAS = {"torch": "torch", "anywidget": "widgets"}


def require(package):
    """Import an optional package, or say which extra brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        extra = EXTRAS[package]
        raise ImportError(f"this needs {package}: pip install 'npo-tutorial[{extra}]'", name=package) from None
