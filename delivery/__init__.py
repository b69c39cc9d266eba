"""What happens to a finished graph: tracked, reported, registered, promoted, rolled back.

Everything with side effects on servers lives here; stages stay pure.
"""

import os

# Before MLflow is imported anywhere: nothing is sent about who uses what.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
