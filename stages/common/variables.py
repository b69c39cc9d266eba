"""Variables of the environment by which a user tells the project about a machine."""

KERNELS = "BEHEALTHY_KERNELS"
"""The folder of compiled kernels, where it is not the user's own."""

TRACEBACK = "BEHEALTHY_TRACEBACK"
"""Lets unforeseen errors through with their traceback, which may quote a note."""

TOKEN = "BEHEALTHY_TOKEN"
"""What a client of the service has to send as its bearer token."""
