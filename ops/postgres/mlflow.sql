-- MLflow migrates a database of its own; the notes are in the other one.
CREATE DATABASE mlflow;
