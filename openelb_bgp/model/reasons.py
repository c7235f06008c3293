"""The one list of reasons: why something is not announced, not allocated, not valid or not ready.

A Reason is a word in conditions, events and `Speaker.problems`, read by people and matched by scripts: it
may be added to, never renamed. The sentence that goes with it, and its remedy, are made where it is found.
"""

import enum

import msgspec


class Reason(enum.StrEnum):
    """CamelCase words, as Kubernetes conditions want them."""

    # What is well.
    ALLOCATED = "Allocated"
    ANNOUNCED = "Announced"
    ESTABLISHED = "Established"
    VALID = "Valid"
    READY = "Ready"

    # An object that cannot be used, or not wholly.
    INVALID = "Invalid"
    OVERLAP = "Overlap"
    SECOND_DEFAULT = "SecondDefault"
    DUPLICATE_PEER = "DuplicatePeer"
    IGNORED_NAME = "IgnoredName"
    LEFT_TO_CNI = "LeftToCNI"
    UNSUPPORTED = "Unsupported"
    NO_EFFECT = "NoEffect"
    SECRET_MISSING = "SecretMissing"
    CONFIG_MAP_MISSING = "ConfigMapMissing"
    BAD_POLICY = "BadPolicy"
    ADDRESSES_OUTSIDE = "AddressesOutside"
    RACKS_INCOMPLETE = "RacksIncomplete"
    NODE_PROXY_NOT_OFFERED = "NodeProxyNotOffered"
    FOREIGN_ADDRESS = "ForeignAddress"

    # A Service that gets no address.
    NOT_OURS = "NotOurs"
    EIP_NOT_FOUND = "EipNotFound"
    EIP_DISABLED = "EipDisabled"
    NO_POOL = "NoPool"
    POOL_FULL = "PoolFull"
    POOL_GONE = "PoolGone"
    WRONG_FAMILY = "WrongFamily"
    NAMESPACE_REFUSED = "NamespaceRefused"
    SELECTOR_MISMATCH = "SelectorMismatch"
    ADDRESS_OUTSIDE_POOL = "AddressOutsidePool"
    ADDRESS_IN_USE = "AddressInUse"
    ADDRESS_EXCLUDED = "AddressExcluded"
    ADDRESS_OF_NODE = "AddressOfNode"
    SHARING_REFUSED = "SharingRefused"
    BAD_REQUEST = "BadRequest"
    WAITING_FOR_SYNC = "WaitingForSync"
    SOURCE_INCOMPLETE = "SourceIncomplete"

    # An address that a node, or every node, does not announce.
    NO_BGP_CONF = "NoBgpConf"
    NO_PEER = "NoPeer"
    NO_PEER_FOR_NODE = "NoPeerForNode"
    NO_SESSION = "NoSession"
    NO_SPEAKER = "NoSpeaker"
    NO_ELIGIBLE_NODE = "NoEligibleNode"
    NO_ENDPOINTS = "NoEndpoints"
    NO_LOCAL_ENDPOINT = "NoLocalEndpoint"
    NODE_UNKNOWN = "NodeUnknown"
    NODE_NOT_READY = "NodeNotReady"
    NODE_NETWORK_UNAVAILABLE = "NodeNetworkUnavailable"
    NODE_EXCLUDED = "NodeExcluded"
    NODE_DRAINING = "NodeDraining"
    NODE_NOT_SELECTED = "NodeNotSelected"
    NO_NODE_ADDRESS = "NoNodeAddress"
    NO_INTERFACE = "NoInterface"
    NO_SUBNET = "NoSubnet"
    INTERFACE_DOWN = "InterfaceDown"
    NO_GATEWAY = "NoGateway"
    NO_IPV6_NEXT_HOP = "NoIPv6NextHop"
    NO_ADVERTISEMENT = "NoAdvertisement"
    AGGREGATE_OUTSIDE_POOL = "AggregateOutsidePool"
    ATTRIBUTE_CONFLICT = "AttributeConflict"
    FAMILY_NOT_NEGOTIATED = "FamilyNotNegotiated"
    NO_ADD_PATH = "NoAddPath"
    SEND_MAX_TOO_SMALL = "SendMaxTooSmall"
    STAND_IN = "StandIn"
    NO_VRID = "NoVrid"
    VRID_CONFLICT = "VridConflict"
    VRID_IN_USE = "VridInUseByOther"
    NOT_NEEDED = "NotNeeded"
    NOT_PROVEN = "ForwardingNotProven"
    ANNOUNCED_UNPROVEN = "AnnouncedUnproven"
    NOT_OWNER = "NotOwner"
    NODE_SILENT = "NodeSilent"
    NODE_LEAVING = "NodeLeaving"
    OWNERSHIP_VOID = "OwnershipVoid"
    NOT_STABLE = "NotStable"
    MOVED_TOO_OFTEN = "MovedTooOften"
    NOT_PREFERRED = "NotPreferred"
    ADDRESS_CONFLICT = "AddressConflict"
    PROBING_ADDRESS = "ProbingAddress"
    NOT_HEARD = "NotHeard"
    ANSWERED_BY_NODE = "AnsweredByNode"
    ANSWERED_BY_GATEWAY = "AnsweredByGateway"
    RAW_SOCKETS_IMPOSSIBLE = "RawSocketsImpossible"
    IPVS_WITHOUT_STRICT_ARP = "IPVSWithoutStrictARP"
    MODE_OFF = "ModeOff"

    # What a speaker or its daemon runs into.
    SPEAKER_NOT_CONFIGURED = "SpeakerNotConfigured"
    NOT_ESTABLISHED = "NotEstablished"
    LISTEN_PORT_TAKEN = "ListenPortTaken"
    PEER_IS_SELF = "PeerIsSelf"
    PEER_IN_USE_BY_OTHER = "PeerInUseByOther"
    SIDECAR_DOWN = "SidecarDown"
    SIDECAR_UNKNOWN_API = "SidecarUnknownApi"
    SIDECAR_OUTDATED = "SidecarOutdated"
    REJECTED_BY_GOBGP = "RejectedByGoBGP"
    REFUSED_BY_KEEPALIVED = "RefusedByKeepalived"
    STATE_NOT_WRITTEN = "StateNotWritten"
    PROBING_IMPOSSIBLE = "ProbingImpossible"
    MEMBERSHIP_KEY_MISSING = "MembershipKeyMissing"
    MEMBERSHIP_KEY_DIFFERS = "MembershipKeyDiffers"
    HEARTBEATS_FAILED = "HeartbeatsFailed"

    # What another load balancer has left.
    LEFT_BY_OPENELB = "LeftByOpenELB"

    @classmethod
    def known(cls, word: str) -> "Reason | None":
        """The Reason of that word; None for one that only another version knows."""
        try:
            return cls(word)
        except ValueError:
            return None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A decision against something: the reason, and a sentence that names the remedy."""

    reason: Reason
    message: str
