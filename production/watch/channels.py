"""Which channels there are: names in the database, addresses and secrets in the environment only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from production.watch.names import ISSUE, TRIGGER
from stages.common.errors import BeHealthyError
from stages.common.variables import ALERTS

if TYPE_CHECKING:
    from production.watch.params import WatchParams

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_FORM = "write names and addresses, as `ops=mailtos://… chat=slack://…`, with blanks or lines between"


@dataclass(frozen=True)
class Channels:
    """Where messages go.

    Parameters
    ----------
    alerts : tuple of str
        Names of addresses.
    issue, trigger : bool
        Whether alerts are GitHub issues, too; whether something is started.
    """

    alerts: tuple[str, ...] = ()
    issue: bool = False
    trigger: bool = False

    @property
    def telling(self) -> tuple[str, ...]:
        """Return the channels that an alert goes to."""
        return (*self.alerts, *((ISSUE,) if self.issue else ()))


def load_channels(params: WatchParams, environment: Mapping[str, str] = os.environ) -> Channels:
    """Return the channels of these parameters and this environment.

    Raises
    ------
    BeHealthyError
        When the addresses cannot be read; it quotes none.
    """
    return Channels(tuple(addresses(environment)), params.issues, params.trigger.kind != "none")


def addresses(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the addresses of alerts by their names.

    Raises
    ------
    BeHealthyError
        When one has no name, or two have the same.
    """
    found: dict[str, str] = {}
    for place, given in enumerate(environment.get(ALERTS, "").split(), start=1):
        name, _, url = given.partition("=")
        if not _NAME.fullmatch(name) or "://" not in url:
            raise BeHealthyError(f"{ALERTS}: entry {place} is no name with an address: {_FORM}")
        if name in (TRIGGER, ISSUE) or name in found:
            raise BeHealthyError(f"{ALERTS}: entry {place} needs another name: it is taken")
        found[name] = url
    return found
