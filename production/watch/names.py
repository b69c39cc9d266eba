"""Names that the sender and its light process of delivery share; imports nothing."""

from __future__ import annotations

TRIGGER, ISSUE = "trigger", "issue"
"""Channels that are no address of alerts."""

PIPELINES = ("data_pipeline", "training_pipeline", "inference_pipeline", "monitoring_pipeline")
"""Topics of alerts, as Airflow calls them."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that may be spoken to in the clear."""
