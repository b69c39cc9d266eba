"""The error of this room."""

from __future__ import annotations

from stages.common.errors import BeHealthyError


class DeliveryError(BeHealthyError):
    """Delivery could not be done; the message says why and what to do."""
