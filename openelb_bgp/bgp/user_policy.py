"""BgpConf.policy on its way into the plan: the ConfigMap, read once a text, kept when it spoils. Pure.

The last good policy stays in use while the ConfigMap is missing or bad. A node that has never seen a good one
announces nothing new: a policy that shall keep something in must not be left out in silence.
"""

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpConf
from openelb_bgp.model.snapshot import Snapshot

from .export_policy import OUR_PREFIX, names_of_ours
from .policy_toml import ParsedPolicy, parse_policy


class UserPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the user's policy is now.

    `parsed` is in use, None where there is none; `refused` says what is wrong with what is written;
    `known` False: one is wanted, and no good one has been seen. `text` is what `parsed` was read from.
    """

    parsed: ParsedPolicy | None = None
    refused: Refused | None = None
    known: bool = True
    text: str = ""


def user_policy(
    snapshot: Snapshot, conf: BgpConf, *, namespace: str, previous: UserPolicy | None
) -> UserPolicy:
    """The policy that BgpConf names, or the last good one and what is wrong."""
    if conf.policy is None:
        return UserPolicy()
    config_map = snapshot.config_maps.get(Key(namespace, conf.policy))
    text = None if config_map is None else config_map.data.get(keys.POLICY_KEY)
    if text is not None and previous is not None and previous.text == text:
        return previous
    where = f"ConfigMap {namespace}/{conf.policy}"
    if text is not None:
        found = _read(text, where)
        if isinstance(found, ParsedPolicy):
            return UserPolicy(parsed=found, refused=_warning(found, where), text=text)
        return _kept(previous, found, text=text)
    if not snapshot.has_listed(Kind.CONFIG_MAP):
        return _kept(previous, Refused(Reason.WAITING_FOR_SYNC, "ConfigMaps have not been listed yet; wait"))
    missing = f"{where} with the key {keys.POLICY_KEY} does not exist; create it, or remove spec.policy"
    return _kept(previous, Refused(Reason.CONFIG_MAP_MISSING, missing))


def _kept(previous: UserPolicy | None, refused: Refused, *, text: str = "") -> UserPolicy:
    """What was in use goes on, be it no policy at all; a process that has just started knows of none."""
    if previous is None or not previous.known:
        return UserPolicy(refused=refused, known=False, text=text)
    return UserPolicy(parsed=previous.parsed, refused=refused, text=text)


def _read(text: str, where: str) -> ParsedPolicy | Refused:
    found = parse_policy(text)
    if isinstance(found, tuple):
        return Refused(Reason.BAD_POLICY, f"{where}: " + "; ".join(str(defect) for defect in found))
    taken = names_of_ours(found)
    if taken:
        message = f"{where}: names that begin with {OUR_PREFIX} are ours; rename {', '.join(taken)}"
        return Refused(Reason.BAD_POLICY, message)
    return found


def _warning(parsed: ParsedPolicy, where: str) -> Refused | None:
    if not parsed.warnings:
        return None
    return Refused(Reason.NO_EFFECT, f"{where}: " + "; ".join(str(defect) for defect in parsed.warnings))
