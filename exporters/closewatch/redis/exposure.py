"""Who can read the sessions, as numbers: 1 is exposed, 0 is not, and what can't be told is absent.

    closewatch_redis_exposed{exposure="default_user_without_password",member="10.0.0.1:6379"} 1

Each member on its own: a forgotten replica shows the same data. A wide `bind` is normal in a container and only says
that something else must keep strangers out; with a default user that needs no password and may do something, it is an
open door. Protected mode sends strangers away, but only while the default user has no password. `overpowered_user`
judges `application_user` as configured: it may change the server's settings or users, load code, copy data elsewhere,
or throw everything away, which a session store's or a queue's user never needs.

Rights: config|get, acl|getuser (it shows password hashes, which are dropped unread). Cost: none to speak of.
Source: CONFIG GET bind, protected-mode, port, tls-port; ACL GETUSER.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, On, Reason, Row, Unavailable
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.configuration import CONFIG
from closewatch.redis.powers import overpowered, powerless
from closewatch.sources.redis.command import one

EXPOSED = Gauge(
    "closewatch_redis_exposed",
    "Whether the member is exposed in this way (1) or not (0); absent where it can't be told.",
    ("exposure", "member"),
)
_EVERYWHERE = frozenset({"*", "0.0.0.0", "::", "::*"})  # noqa: S104 - what is looked for, not what is bound
EMPTY_BIND_IS_ALL_UNTIL = 60_200


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One sample for each exposure that can be told."""
    settings = answer.one("config")
    default = answer.one("default")
    user = answer.one("user")
    for exposure, exposed in (
        ("default_user_without_password", _open_door(default)),
        ("bind_all", _wide(settings, answer.version)),
        ("protected_mode_off", settings["protected-mode"] == "no" if "protected-mode" in settings else None),
        ("plain_port_beside_tls", _plain(settings)),
        ("overpowered_user", user["on"] and overpowered(user["rules"]) if user else None),
    ):
        yield EXPOSED(exposed, exposure=exposure, member=answer.member)
    if "user" in answer and not user:
        raise Unavailable(Reason.MISSING, "there is no such user as application_user")


def _open_door(default: Row) -> bool | None:
    if not default:
        return None
    return bool(default["on"] and default["nopass"] and not powerless(default["rules"]))


def _wide(settings: Row, version: int) -> bool | None:
    if "bind" not in settings:
        return None
    places = {place.removeprefix("-") for place in settings["bind"].split()}
    return bool(places & _EVERYWHERE) or (not places and version < EMPTY_BIND_IS_ALL_UNTIL)


def _plain(settings: Row) -> bool | None:
    if "port" not in settings:
        return None
    return bool(settings.get("tls-port", "0") != "0" and settings["port"] != "0")


EXPOSURE = Collector(
    "exposure",
    ask={
        "config": CONFIG,
        "default": (one("ACL", "GETUSER", "default", shape="user", optional=True),),
        "user": (one("ACL", "GETUSER", "{application_user}", shape="user", optional=True),),
    },
    read=read,
    families=(EXPOSED,),
    on=On.EACH,
)
