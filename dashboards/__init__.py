"""Grafana dashboards as code: short Python that writes the JSON committed beside it.

`python -m dashboards.build` writes, `python -m dashboards.build --check` compares. The JSON is what people install:
Grafana's provisioning, its sidecar and the Helm chart all take the same files.
"""
