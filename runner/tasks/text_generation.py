"""Models that predict the next token."""

from pathlib import Path

from runner.registry.tasks import TaskFamily, Used


def _use(folder: Path) -> Used:
    """One token by OpenVINO GenAI; by the plain runtime where GenAI, or what it needs in the folder, is not there."""
    from runner.model import trial

    return trial.generated(folder) if trial.can_generate(folder) else trial.inferred(folder)


TEXT_GENERATION = TaskFamily(
    "text-generation",
    "a text goes on: GPT, Llama, Qwen and their kin",
    use=_use,
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
