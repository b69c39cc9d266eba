"""Alerts by apprise: one address a call, since it says of several only that not all went well."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from production.watch.channels import addresses
from production.watch.faults import NotDeliveredError
from production.watch.names import LOOPBACK
from stages.common.errors import BeHealthyError
from stages.common.variables import ALERTS

if TYPE_CHECKING:
    from apprise import NotifyBase

ID_HEADER = "Idempotency-Key"
SOCKET_SECONDS = 10.0


def notify(channel: str, message_id: str, title: str, text: str, *, over: bool = False) -> None:
    """Send an alert to one address, or that it is over.

    Raises
    ------
    NotDeliveredError
        When it did not go, with the kind of the channel.
    """
    from apprise import Apprise, NotifyFormat, NotifyType

    url = addresses().get(channel)
    if url is None:
        raise NotDeliveredError(f"{ALERTS} has no address of this name")
    try:
        plugin = plugin_of(channel, url)
    except BeHealthyError:
        raise NotDeliveredError("its address is none that apprise can use safely") from None
    headers = getattr(plugin, "headers", None)
    if isinstance(headers, dict):  # JSON, XML, forms, mail
        headers[ID_HEADER] = message_id
    sender = Apprise(asset=plugin.asset)
    sender.add(plugin)
    kind = NotifyType.SUCCESS if over else NotifyType.WARNING
    if not sender.notify(body=text, title=title, notify_type=kind, body_format=NotifyFormat.TEXT):
        raise NotDeliveredError(f"{urlsplit(url).scheme}: not delivered")


def plugin_of(name: str, url: str) -> NotifyBase:
    """Return what sends to an address: with TLS that is verified, within time, without redirections.

    Raises
    ------
    BeHealthyError
        When apprise does not know the address, or it would be sent in the clear beyond this machine. Quotes nothing.
    """
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    asset = AppriseAsset(
        app_id="BeHealthy", storage_mode=PersistentStoreMode.MEMORY, secure_logging=True, async_mode=False
    )
    plugin = Apprise.instantiate(url, asset=asset)
    if plugin is None:
        raise BeHealthyError(f"{ALERTS}: the address of {name} is none that apprise knows")
    if _in_the_clear(plugin, url):
        raise BeHealthyError(f"{ALERTS}: the address of {name} is sent to in the clear: take the kind with TLS (…s://)")
    plugin.verify_certificate = True
    plugin.redirects = False
    plugin.retry = 0
    plugin.socket_connect_timeout = plugin.socket_read_timeout = SOCKET_SECONDS
    return plugin


def _in_the_clear(plugin: NotifyBase, url: str) -> bool:
    scheme, plain = urlsplit(url).scheme, plugin.protocol or ()
    in_the_clear = scheme in ((plain,) if isinstance(plain, str) else plain) and not plugin.secure
    if not in_the_clear and getattr(plugin, "secure_mode", "") != "insecure":
        return False
    return (getattr(plugin, "smtp_host", "") or plugin.host) not in LOOPBACK
