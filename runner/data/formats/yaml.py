"""Task files of lm-evaluation-harness."""

from runner.registry.formats import TASK_FILE, DataFormat

YAML = DataFormat(
    "yaml",
    "a task of lm-evaluation-harness, with its data in files beside it",
    shape="task",
    roles={TASK_FILE: ""},
    package="lm_eval",
    extra="lm-eval",
    module="runner.data.task_file",
)
