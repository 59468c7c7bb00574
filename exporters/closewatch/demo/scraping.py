"""The configuration of the demo's Prometheus: the jobs and the rules as they are shipped, only faster."""

from __future__ import annotations

import yaml

SCRAPE_SECONDS = 2
EVALUATION_SECONDS = 1


def prometheus_config(closewatch: str, thresholds: str, alertmanager: str, itself: str) -> str:
    """The text of prometheus.yml; all arguments are host:port. The rule files lie in rules/."""
    config = {
        "global": {
            "scrape_interval": f"{SCRAPE_SECONDS}s",
            "scrape_timeout": f"{SCRAPE_SECONDS}s",
            "evaluation_interval": f"{EVALUATION_SECONDS}s",
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": "closewatch", "honor_labels": True, "static_configs": [{"targets": [closewatch]}]},
            {
                "job_name": "closewatch-targets",
                "honor_labels": True,
                "http_sd_configs": [{"url": f"http://{closewatch}/sd", "refresh_interval": "5s"}],
            },
            {"job_name": "thresholds", "honor_labels": True, "static_configs": [{"targets": [thresholds]}]},
            {"job_name": "prometheus", "static_configs": [{"targets": [itself]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": [alertmanager]}]},
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)
