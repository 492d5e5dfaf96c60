"""All other models: named arrays go in, and come out."""

from pathlib import Path

from runner.registry.tasks import ARRAYS as NAME
from runner.registry.tasks import TaskFamily, Used


def _use(folder: Path) -> Used:
    from runner.model import trial

    return trial.generated(folder) if trial.can_generate(folder) else trial.inferred(folder)


ARRAYS = TaskFamily(
    NAME,
    "any other model: named arrays go in, and come out",
    use=_use,
    usage="""import openvino as ov

model = ov.compile_model("path/to/this/folder/openvino_model.xml", "CPU")""",
    libraries=("openvino", "openvino-genai"),
)
