"""What Optimum's table of exporters holds, and what of it transformers has no class for: `python -m tests.classless`.

Printed is JSON: the table as `runner.export.exportable` keeps it, and pairs of model type and task.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from runner.export import exportable, sighted


def classless(table: exportable.Table) -> Iterator[tuple[str, str]]:
    """Types and tasks whose model no automatic class of transformers loads; those of images and texts aside."""
    from optimum.exporters.tasks import TasksManager
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    for kind, tasks in table["types"].items():
        for task, (lowest, highest) in tasks.items():
            told = exportable.wrong_version(kind, lowest, highest)
            if told or task == sighted.TASK or kind in sighted.OWN_CODE:
                continue
            loader = TasksManager.get_model_class_for_task(task.removesuffix("-with-past"), "pt", model_type=kind)
            known = getattr(loader, "_model_mapping", None)
            if kind not in CONFIG_MAPPING or (known is not None and CONFIG_MAPPING[kind] not in known):
                yield kind, task


if __name__ == "__main__":
    table = exportable.read_off()
    print(json.dumps([table, list(classless(table))]))
