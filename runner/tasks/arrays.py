"""All other models: named arrays go in, and come out."""

from runner.registry.predicting import REPLIES
from runner.registry.tasks import ARRAYS as NAME
from runner.registry.tasks import TaskFamily
from runner.tasks import generate

ARRAYS = TaskFamily(
    NAME,
    "any other model: named arrays go in, and come out",
    use=generate,
    predicts=(REPLIES,),  # of a language model whose task nobody told
    usage="""import openvino as ov

model = ov.compile_model("path/to/this/folder/openvino_model.xml", "CPU")""",
    libraries=("openvino", "openvino-genai"),
)
