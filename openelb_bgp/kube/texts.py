"""Regular expressions, in the syntax that RE2 and Python share, for what users write as text. Pure.

They accept whatever `decode` accepts, and a little more where that keeps them readable. CEL's own `ip()` and
`cidr()` would say it better, but an API server of Kubernetes 1.30 takes neither in a new rule: they are new
there, and it keeps to what the version before it knows. Blanks are ASCII's.
"""

from openelb_bgp.decode.communities import WELL_KNOWN

BLANK = r"^\s*$"

_OCTET = "(25[0-5]|(2[0-4]|1[0-9]|[1-9]?)[0-9])"
IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
# Also takes what has too many or too few groups for its `::`: exact, it would be a page long.
IPV6 = rf"([0-9A-Fa-f]{{0,4}}:){{2,8}}([0-9A-Fa-f]{{1,4}}|{IPV4})?"

IP = f"({IPV4}|{IPV6})"
ONE_IP = rf"^\s*{IP}\s*$"
IP_OR_BLANK = rf"^\s*{IP}?\s*$"
# RFC 4007, 11: the zone follows a per cent sign.
NEIGHBOR_OR_BLANK = rf"^\s*({IPV4}|{IPV6}(%[^%\s]+)?)?\s*$"

_LENGTH4 = "0*(3[0-2]|[12]?[0-9])"
_LENGTH6 = "0*(12[0-8]|(1[01]|[1-9]?)[0-9])"
_RANGE = rf"({IPV4}(/{_LENGTH4}|\s*-\s*{IPV4})?|{IPV6}(/{_LENGTH6}|\s*-\s*{IPV6})?)"
# 0/8, 127/8, 224/4 and the broadcast address; ::, ::1 and ff00::/8: where a part of a list or a range begins.
NEVER_A_SERVICES = (
    r"(^|[\s,\-])((0|127|22[4-9]|23[0-9])\.|255\.255\.255\.255|[fF][fF][0-9A-Fa-f]{2}:|::1?([\s,/\-]|$))"
)
ONE_RANGE = rf"^\s*{_RANGE}\s*$"
RANGES = rf"^([\s,]*{_RANGE}\s*(,|$))+[\s,]*$"

_NIC = r"[^\s/:,]{1,64}"
INTERFACES = rf"^\s*(auto|can_reach:\s*{IP}|[\s,]*({_NIC}[\s,]*)*)\s*$"

_VRID = r"\s*0*(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]?)\s*"
VIRTUAL_ROUTER_IDS = rf"^{_VRID}(-{_VRID})?(,{_VRID}(-{_VRID})?)*$"

_UINT16 = "0*(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})"
_UINT32 = "[0-9]{1,10}"
_NAMES = "|".join(sorted(name.replace("-", "[-_]") for name in WELL_KNOWN))
COMMUNITY = rf"(?i)^\s*({_NAMES}|{_UINT16}:{_UINT16}|{_UINT32}:{_UINT32}:{_UINT32})\s*$"

SECONDS_OR_BLANK = r"^\s*[0-9]{0,10}\s*$"
