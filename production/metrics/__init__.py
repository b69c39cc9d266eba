"""What Prometheus is told of production: an exporter that reads the database, and what a worker counts."""
