"""Variables of the environment by which a user tells the project about a machine."""

KERNELS = "BEHEALTHY_KERNELS"
"""The folder of compiled kernels, where it is not the user's own."""

TRACEBACK = "BEHEALTHY_TRACEBACK"
"""Lets unforeseen errors through with their traceback, which may quote a note."""

DATABASE = "BEHEALTHY_DATABASE_URL"
"""Where production keeps notes and results, where it is not the SQLite file in `data/production`."""

LOG_KEY = "BEHEALTHY_LOG_KEY"
"""The key of the names in the serving log, where it is not in the file beside the database."""

TOKEN = "BEHEALTHY_TOKEN"
"""What a client of the service has to send as its bearer token."""

ALERTS = "BEHEALTHY_ALERTS"
"""Where alerts go: names and addresses of apprise, as `ops=mailtos://… chat=slack://…`. Secret."""

AIRFLOW_TOKEN = "BEHEALTHY_AIRFLOW_TOKEN"
"""A token of Airflow's API; else the next two, for which it gives one."""

AIRFLOW_USER = "BEHEALTHY_AIRFLOW_USER"
AIRFLOW_PASSWORD = "BEHEALTHY_AIRFLOW_PASSWORD"

TRIGGER_ID = "BEHEALTHY_TRIGGER_ID"
"""What a command that is started has of the message that starts it: the same id is the same start."""

REVIEWER_HEADER = "BEHEALTHY_REVIEWER_HEADER"
"""The header by which the proxy before the dashboard names who asks; unset, no header is believed."""
