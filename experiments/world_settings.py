"""What `unlearn_world.toml` may say, and reading it."""

import tomllib
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from npo_tutorial._checks import check_choice
from npo_tutorial.language import OBJECTIVES

FILE = Path(__file__).with_name("unlearn_world.toml")
OPTIMIZERS = {"adamw": "adamw_torch", "sgd": "sgd"}


@dataclass(frozen=True)
class Run:
    """A method: an entry of the table `runs`."""

    title: str
    loss: str
    beta: float | None = None
    retain: bool = False
    optimizer: str = "adamw"
    seeds: list[int] = field(default_factory=lambda: [0])
    thorough: bool = False

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, tuple(OBJECTIVES))
        check_choice("optimizer", self.optimizer, tuple(OPTIMIZERS))
        OBJECTIVES[self.loss].options(self.beta)


@dataclass(frozen=True)
class Records:
    forget: int
    retain: int
    asked: int


@dataclass(frozen=True)
class Teaching:
    epochs: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    answered: float


@dataclass(frozen=True)
class Unlearning:
    n_steps: int
    batch_size: int
    measured: list[int]
    destroyed: float

    def __post_init__(self) -> None:
        if self.measured != sorted({*self.measured, self.n_steps}) or self.measured[0] < 1:
            raise ValueError(f"measured must be steps in ascending order up to {self.n_steps}, got {self.measured}")


@dataclass(frozen=True)
class Rates:
    n_steps: int
    sgd_n_steps: int
    least: float
    adamw: list[float]
    sgd: list[float]


@dataclass(frozen=True)
class Thorough:
    samples: int
    relearning_steps: int
    learning_rate: float
    control: int


@dataclass(frozen=True)
class Settings:
    """The content of the settings' file."""

    seed: int
    system: str
    records: Records
    teaching: Teaching
    unlearning: Unlearning
    rates: Rates
    thorough: Thorough
    runs: dict[str, Run]


# what an entry of a table may be, by its annotation
KINDS = {str: (str,), bool: (bool,), int: (int,), float: (int, float), float | None: (int, float)}
KINDS |= {list[int]: (int,), list[float]: (int, float)}


def read_settings(path: Path = FILE, *, short: bool = False) -> Settings:
    """The settings, with what `--short` changes; a ValueError names the file and the entry that is wrong."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        changes = table.pop("short")
        if short:
            runs = _table("short.runs", changes.pop("runs"))
            table["runs"] = {
                name: table["runs"][name] | {"seeds": [0]} | _table(f"short.runs.{name}", change)
                for name, change in runs.items()
            }
            table |= {name: table[name] | _table(f"short.{name}", change) for name, change in changes.items()}
        return _make(Settings, table, "")
    except KeyError as error:
        raise ValueError(f"{path.name} must have the entry {error}") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _table(name: str, value: Any) -> dict[str, Any]:
    """The value, which must be a table."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a table, got {value!r}")
    return value


def _make(kind: Any, value: Any, name: str) -> Any:
    """An entry of the file as its annotation says."""
    if kind == dict[str, Run]:
        return {key: _make(Run, table, f"{name}.{key}") for key, table in value.items()}
    if not is_dataclass(kind):
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) != (kind in (list[int], list[float])) or {*map(type, items)} - {*KINDS[kind]}:
            raise ValueError(f"{name} must be {kind.__name__ if isinstance(kind, type) else kind}, got {value!r}")
        return value
    known = get_type_hints(kind)
    required = {x.name for x in fields(kind) if x.default is MISSING and x.default_factory is MISSING}
    for problem, names in {"unknown": value.keys() - known.keys(), "missing": required - value.keys()}.items():
        if names:
            raise ValueError(f"{problem} entry {name}.{min(names)}".replace(" .", " "))
    made = {key: _make(known[key], item, f"{name}.{key}".strip(".")) for key, item in value.items()}
    try:
        return kind(**made)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
