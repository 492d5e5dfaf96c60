"""What is changed in libraries that measure."""

from __future__ import annotations

from runner.base.patches import Patch

SANDBOX = Patch(
    "Templates in a sandbox",
    "lm-eval",
    ("0.4.13", "0.5"),
    "results",
    "The Jinja templates of a task run in `ImmutableSandboxedEnvironment`, so that none runs code.",
    "A template that asks for a class has to be refused by `lm_eval.utils.apply_template`, or the stage fails.",
)
PATCHES = (SANDBOX,)


def sandboxed_templates() -> None:
    """Let the templates of lm-evaluation-harness reach nothing but the values of a row.

    Raises:
        StageError: the library takes its templates otherwise.
    """
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    own, apply = (SANDBOX.part("lm_eval.utils", name) for name in ("env", "apply_template"))
    safe = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=own.keep_trailing_newline)
    safe.filters.update({name: one for name, one in own.filters.items() if name not in safe.filters})
    import lm_eval.utils

    lm_eval.utils.env = safe
    try:
        apply("{{ row.__class__ }}", {"row": ""})
    except SecurityError:
        return
    why = "its templates don't go by lm_eval.utils.env"
    raise SANDBOX.broken(why)
