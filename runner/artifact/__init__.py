"""Artifacts: `outputs/<recipe>/<N>`, immutable and numbered, each with its manifest, recipe and model card.

N is a plain positive integer, which is how OpenVINO Model Server reads a model repository. A model that misses a gate
goes to `outputs/<recipe>/rejected/<id>` and is never a version.

Readers import `versions`, `shape` and `record` alone, which know nothing of plans; `placing` publishes, `verify` reads
every byte again, `reproduce` makes a version a second time.
"""
