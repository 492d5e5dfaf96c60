"""Models that predict the next token."""

from runner.registry.tasks import TaskFamily
from runner.tasks import generate

TEXT_GENERATION = TaskFamily(
    "text-generation",
    "a text goes on: GPT, Llama, Qwen and their kin",
    use=generate,
    gives="next tokens",
    past=True,
    architectures=("ForCausalLM", "LMHeadModel"),
    users_load="OVModelForCausalLM",
    processor="AutoTokenizer",
    usage="""import openvino_genai

pipe = openvino_genai.LLMPipeline("path/to/this/folder", "CPU")
print(pipe.generate("…", max_new_tokens=64))""",
    libraries=("openvino", "openvino-genai"),
)
