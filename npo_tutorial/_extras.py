"""Optional packages: imported when first needed; if one is missing, the error names the extra that brings it."""

import importlib
from typing import Any

EXTRAS = (
    {"numba": "fast", "torch": "torch"}
    | dict.fromkeys(["anywidget", "ipywidgets", "tqdm", "traitlets"], "widgets")
    | dict.fromkeys(["accelerate", "filelock", "gguf", "huggingface_hub", "safetensors", "transformers"], "llm")
    | {"peft": "peft"}
    | dict.fromkeys(["myst_nb", "nbformat"], "book")
)


def require(package: str) -> Any:
    """Import an optional package or a module of it; if it is missing, name the extra that brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        top = package.partition(".")[0]
        if error.name != top:
            raise
        raise ImportError(f"this needs {top}: pip install 'npo-tutorial[{EXTRAS[top]}]'", name=top) from None
