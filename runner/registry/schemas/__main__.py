"""Write the schemas anew from the declarations."""

from runner.base import resources
from runner.registry.schemas import written

for _file, _text in written().items():
    (resources.schemas_dir() / _file).write_text(_text, encoding="utf-8")
