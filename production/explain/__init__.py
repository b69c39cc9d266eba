"""Why a model marked a span or left it: for a person, in the terminal or as a page."""
