"""The stages of `dvc.yaml`, one folder each, run as `python -m stages.<stage>`."""
