"""Optional packages: imported when first needed, and named with their extra when absent."""

import importlib

EXTRAS = (
    {"numba": "fast", "torch": "torch"}
    | dict.fromkeys(["anywidget", "ipywidgets", "tqdm", "traitlets"], "widgets")
    | dict.fromkeys(["accelerate", "gguf", "safetensors", "transformers"], "llm")
    | dict.fromkeys(["myst_nb", "nbformat"], "book")
)


def require(package):
    """Import an optional package or a module of it, or say which extra brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        top = package.partition(".")[0]
        if error.name != top:
            raise
        raise ImportError(f"this needs {top}: pip install 'npo-tutorial[{EXTRAS[top]}]'", name=top) from None
