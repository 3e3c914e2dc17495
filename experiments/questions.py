"""How many questions does a verdict need? The share of right outcomes of `compare`, in a simulation.

python experiments/questions.py

Per question, what there was to forget is 1, and the difference between model and retrained model has the standard
deviation 0.3 and one of three means: 0.3 (too little is forgotten), 0 (about as retrained), −0.3 (too much).
"""

import argparse
import platform

import numpy as np
import scipy

from npo_tutorial import results
from npo_tutorial.language.evaluation import compare

NUMBERS = (5, 10, 20, 40, 80, 160)
RIGHT = {0.3: "too_little", 0.0: "as_retrained", -0.3: "too_much"}
DEVIATION, REPEATS, SEED = 0.3, 100, 0


def share_right(mean: float, n: int, repeats: int = REPEATS) -> float:
    """The share of right outcomes with n questions."""
    rng = np.random.default_rng([SEED, n])
    draws = rng.normal(mean, DEVIATION, (repeats, n))
    retrained, before = np.zeros(n), np.ones(n)
    return float(np.mean([compare(draw, retrained, before).outcome == RIGHT[mean] for draw in draws]))


def measure() -> dict:
    return {
        "command": "python experiments/questions.py",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        "deviation": DEVIATION,
        "repeats": REPEATS,
        "seed": SEED,
        "questions": list(NUMBERS),
        "right": {str(mean): [share_right(mean, n) for n in NUMBERS] for mean in RIGHT},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python experiments/questions.py", description=__doc__.split("\n")[0])
    parser.parse_args()
    results.save("questions", measure())


if __name__ == "__main__":
    main()
