"""Label Studio as the project uses it: its labelling configuration, and the server on this machine."""
