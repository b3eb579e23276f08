"""Photographs, out of packages that bring some along. The packages themselves are not imported."""

import functools
import importlib.util
from pathlib import Path

from PIL import Image

_PLACES = {
    "skimage": "data/{}",
    "sklearn": "datasets/images/{}",
    "matplotlib": "mpl-data/sample_data/{}",
}

_FILES = {
    "astronaut": ("skimage", "astronaut.png"),
    "brick": ("skimage", "brick.png"),
    "camera": ("skimage", "camera.png"),
    "chelsea": ("skimage", "chelsea.png"),
    "coffee": ("skimage", "coffee.png"),
    "coins": ("skimage", "coins.png"),
    "grass": ("skimage", "grass.png"),
    "gravel": ("skimage", "gravel.png"),
    "hubble": ("skimage", "hubble_deep_field.jpg"),
    "moon": ("skimage", "moon.png"),
    "motorcycle": ("skimage", "motorcycle_left.png"),
    "retina": ("skimage", "retina.jpg"),
    "rocket": ("skimage", "rocket.jpg"),
    "china": ("sklearn", "china.jpg"),
    "flower": ("sklearn", "flower.jpg"),
    "grace-hopper": ("matplotlib", "grace_hopper.jpg"),
}

NAMES = tuple(_FILES)


@functools.cache
def photograph(name: str) -> Image.Image:
    """The photograph, decoded; RGB or grey."""
    package, file = _FILES[name]
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None, f"{package} is missing; see tests/photographs.txt"
    with Image.open(Path(spec.origin).parent / _PLACES[package].format(file)) as image:
        return image.convert("L" if image.mode == "L" else "RGB")
