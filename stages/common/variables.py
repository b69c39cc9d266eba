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
