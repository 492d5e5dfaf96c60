"""Models that look at an image."""

from runner.registry.predicting import Predicts
from runner.registry.tasks import WEIGHTS, Gives, TaskFamily
from runner.tasks import infer

_LOOKS = ("openvino", "numpy", "pillow", "transformers")


def _shown(gives: str) -> tuple[Predicts, ...]:
    return (Predicts(gives, ("image",), module="runner.metrics.predicting.maps", libraries=(*_LOOKS, "torch")),)


def _sees(
    name: str,
    help: str,
    *architectures: str,
    loaded_by: str = "",
    processor: str = "",
    gives: Gives = "arrays",
    predicts: tuple[Predicts, ...] = (),
    metrics: tuple[str, ...] = (),
    example: str = WEIGHTS,
) -> TaskFamily:
    return TaskFamily(
        name,
        help,
        use=infer,
        gives=gives,
        predicts=predicts,
        metrics=metrics,
        architectures=architectures,
        users_load=loaded_by,
        processor=processor or "AutoImageProcessor",
        example=example,
    )


IMAGE_CLASSIFICATION = _sees(
    "image-classification",
    "an image gets a class",
    "ForImageClassification",
    loaded_by="OVModelForImageClassification",
    gives="class scores",
    predicts=tuple(Predicts(gives, ("image",), libraries=_LOOKS) for gives in ("class scores", "outputs")),
    metrics=("accuracy", "top_k_accuracy", "f1_macro", "decision_agreement"),
    example="""datasets:
  images: {source: file, path: images.npz, inputs: pixel_values}  # [count, 3, height, width]
compression: {algorithm: quantization, model_type: transformer, dataset: images}
accuracy:
  checks: [{metric: cosine_similarity, dataset: images, min: 0.9}]
""",
)
ZERO_SHOT = _sees(
    "zero-shot-image-classification",
    "an image gets one of the classes that texts name: CLIP, SigLIP",
    "CLIPModel",
    "SiglipModel",
    loaded_by="OVModelForZeroShotImageClassification",
    processor="AutoProcessor",
    predicts=tuple(
        Predicts(
            "class scores",
            ("image", names),
            module="runner.metrics.predicting.zero_shot",
            libraries=(*_LOOKS, "tokenizers"),
        )
        for names in ("choices", "label")
    ),
)
OBJECT_DETECTION = _sees(
    "object-detection",
    "objects and their boxes are found: DETR, Table Transformer, YOLOS",
    "ForObjectDetection",
    loaded_by="OVModelForCustomTasks",
    predicts=_shown("boxes"),
    metrics=("mean_average_precision", "average_precision_50"),
)
SEMANTIC_SEGMENTATION = _sees(
    "semantic-segmentation",
    "each place of an image gets a class",
    "ForSemanticSegmentation",
    predicts=_shown("class maps"),
    metrics=("mean_iou", "pixel_accuracy"),
)
DEPTH_ESTIMATION = _sees(
    "depth-estimation",
    "each place of an image gets a distance: GLPN; DPT and Depth Anything at the one size of images in config.json",
    "ForDepthEstimation",
    metrics=("depth_relative_error", "depth_rmse", "depth_delta1"),
    loaded_by="OVModelForCustomTasks",
    predicts=_shown("depth maps"),
)
