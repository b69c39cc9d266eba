"""MLflow: runs, the registered model and its aliases, the gates before them, and the model as it is served."""
