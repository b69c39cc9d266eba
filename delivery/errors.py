"""The errors of this room."""

from __future__ import annotations

from stages.common.errors import BeHealthyError, RefusedError


class DeliveryError(BeHealthyError):
    """Delivery could not be done; the message says why and what to do."""


class DeliveryRefusedError(DeliveryError, RefusedError):
    """Delivery was asked to judge, and the answer is no; the message says why and what to do."""
