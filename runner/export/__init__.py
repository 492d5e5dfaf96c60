"""Exporters: what makes an OpenVINO IR of a model. `exporters` declares them, and imports nothing heavy."""
