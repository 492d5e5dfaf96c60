"""Images that a model draws of texts, beside those that the reference draws from the same noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import ANY, metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

_SAME = "of the images that model and reference draw of each text from the same noise; needs no images of the data"


@metric(
    "image_psnr",
    better="higher",
    rows="images",
    compares=True,
    span=ANY,
    unit="dB",
    help=f"mean peak signal-to-noise ratio {_SAME}",
    source="10 log10(255^2 / mean squared error) of 8 bits a colour; an equal image counts as 100 dB",
)
def image_psnr(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.drawn_noise(kept, reference)


@metric(
    "image_ssim",
    better="higher",
    rows="images",
    compares=True,
    span=(-1.0, 1.0),
    help=f"mean structural similarity {_SAME}",
    source="Wang and others (2004): Gaussian windows of 11 x 11, 1.5 wide, that lie inside the image, by colour",
)
def image_ssim(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.drawn_similarity(kept, reference)


@metric(
    "clip_score",
    better="higher",
    rows="images",
    span=(0.0, 100.0),
    help="mean CLIP score of the images that a model draws: how well each fits its text, 100 times the cosine of the "
    "embeddings that `encoder` makes of both, at least 0; needs no images of the data",
    source="Hessel and others (2021) with a weight of 100, as torchmetrics' CLIPScore",
    encoder="images",
)
def clip_score(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.captions(kept)
