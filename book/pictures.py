"""Pictures of the front page and of the README, taken from the notebooks: ``make pictures``.

A picture that nobody remakes grows stale. These are figures that the notebooks have drawn, and a test
compares them with what the notebooks hold.
"""

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image, ImageOps

BOOK = Path(__file__).parent
CARD = (720, 432)  # pixels, which are shown half as large
FRONT = ("index", "fig-front-which")  # shown whole
CARDS = {  # of every chapter, its most telling figure
    "a-wrong-gradient-still-learns": "fig-wrong-gradient-halfplane",
    "finite-differences": "fig-differences-forward",
    "the-gradient-check": "fig-check-band",
    "a-million-parameters": "fig-million-probes",
    "backpropagation-by-hand": "fig-backprop-circuit",
    "layer-by-layer": "fig-layers-lstm",
    "vanishing-and-exploding": "fig-vanishing-chain",
    "gradient-descent": "fig-descent-regimes",
    "momentum": "fig-momentum-paths",
    "a-step-size-for-every-coordinate": "fig-coordinate-words",
    "adam": "fig-adam-paths",
    "when-adam-fails": "fig-fails-votes",
    "weight-decay-and-adamw": "fig-decay-plane",
    "relatives-of-adam": "fig-relatives-map",
    "schedules": "fig-schedules-band",
    "clipping": "fig-clipping-drawing",
    "training-a-real-network": "fig-training-ladder",
    "which-optimizer": "fig-compare-differences",
    "debugging-a-training-run": "fig-debugging-idea",
    "how-fast-can-a-step-be": "fig-speed-roof",
    "other-frameworks": "fig-frameworks-bands",
    "wrong-gradients-in-the-wild": "fig-wild-map",
    "beyond-one-machine": "fig-beyond-ring",
}


def figure(notebook: str, name: str) -> Image.Image:
    """A figure of a notebook, by its name."""
    for cell in nbformat.read(BOOK / f"{notebook}.ipynb", as_version=4).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == name:
            (data,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
            return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    raise ValueError(f"{notebook}.ipynb has no figure named {name}")


def trimmed(picture: Image.Image) -> Image.Image:
    """A picture without its white margins, but for a narrow one."""
    ink = ImageOps.invert(picture.convert("L")).getbbox()
    return ImageOps.expand(picture.crop(ink), 12, "white")


def pictures() -> dict[Path, Image.Image]:
    """All pictures, and where they belong."""
    made = {BOOK / "_static" / "front.png": figure(*FRONT)}
    for notebook, name in CARDS.items():
        card = ImageOps.pad(
            trimmed(figure(notebook, name)), CARD, Image.Resampling.LANCZOS, color="white"
        )
        made[BOOK / "_static" / "cards" / f"{notebook}.png"] = card
    return made


if __name__ == "__main__":
    for path, picture in pictures().items():
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
        print(path.relative_to(BOOK.parent))
