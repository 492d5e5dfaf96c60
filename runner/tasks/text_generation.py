"""Models that predict the next token."""

from runner.registry.predicting import CHOICES, HARNESS, REPLIES
from runner.registry.tasks import TaskFamily
from runner.tasks import generate

TEXT_GENERATION = TaskFamily(
    "text-generation",
    "a text goes on: GPT, Llama, Qwen and their kin",
    use=generate,
    gives="next tokens",
    predicts=(REPLIES, *CHOICES, HARNESS),
    metrics=("kl_divergence", "perplexity", "exact_match"),
    past=True,
    architectures=("ForCausalLM", "LMHeadModel"),
    users_load="OVModelForCausalLM",
    processor="AutoTokenizer",
    example="""datasets:
  texts: {source: file, path: texts.txt}
compression: {algorithm: weight_compression, mode: int4_sym, group_size: 64, scale_estimation: true, dataset: texts}
accuracy:
  checks: [{metric: kl_divergence, dataset: texts, max: 0.1}]
""",
    usage="""import openvino_genai

pipe = openvino_genai.LLMPipeline("path/to/this/folder", "CPU")
print(pipe.generate("…", max_new_tokens=64))""",
    libraries=("openvino", "openvino-genai"),
)
