"""What a recipe can name (metrics, data formats, sources, exporters, tasks), declared beside the code that does it.

A declaration is a light object: names, kinds, settings with their schema, help. The JSON Schemas' enums and conditions,
`ovrun explain`, docs/reference.md, messages and the report's columns are made of them. Those of ovrun lie in
`runner/metrics/families`, `runner/data/formats` and so on, a file each; those of other packages are found by the entry
points `ovrun.metrics`, `ovrun.data_formats`, `ovrun.sources`, `ovrun.exporters` and `ovrun.tasks`.
"""
