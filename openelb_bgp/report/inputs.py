"""What reports are made of, as far as other rooms decide it: structural types, so that rooms stay apart.

`ipam` makes the Decisions and the PoolUses, `eligibility` the Nodes; the controller brings them together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol as Port

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Key, Patch
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.ports import Event


class Given(Port):
    """An address of a Service and the pool that announces it."""

    @property
    def address(self) -> Address:
        """The address."""
        ...

    @property
    def pool(self) -> str:
        """The Eip's name."""
        ...

    @property
    def reason(self) -> Reason | None:
        """POOL_GONE where no pool announces it any more."""
        ...


class Decision(Port):
    """What allocation decided for one Service; `condition` carries no time yet."""

    @property
    def ours(self) -> bool:
        """False for a Service that only gets rid of something of ours."""
        ...

    @property
    def changed(self) -> bool:
        """Whether the Service does not read like this yet."""
        ...

    @property
    def addresses(self) -> Sequence[Given]:
        """Ours, in order."""
        ...

    @property
    def ingress(self) -> Sequence[Ingress]:
        """All entries that the status should hold, those of others included."""
        ...

    @property
    def condition(self) -> Condition | None:
        """Allocated; None where there should be none."""
        ...

    @property
    def labels(self) -> Patch:
        """Our labels; None: absent."""
        ...

    @property
    def annotations(self) -> Patch:
        """Our annotations; None: absent."""
        ...

    @property
    def remove_finalizers(self) -> tuple[str, ...]:
        """Finalizers of OpenELB to be taken off."""
        ...

    @property
    def events(self) -> Sequence[Event]:
        """What belongs to the write of this decision."""
        ...


class PoolUse(Port):
    """How full a pool is, as Eip.status says it."""

    @property
    def usage(self) -> int:
        """How many addresses are given."""
        ...

    @property
    def pool_size(self) -> int:
        """How many it holds, saturated."""
        ...

    @property
    def used(self) -> Mapping[str, str]:
        """Address → holders, bounded."""
        ...

    @property
    def first_ip(self) -> str:
        """Its lowest address."""
        ...

    @property
    def last_ip(self) -> str:
        """Its highest address."""
        ...

    @property
    def v4(self) -> bool:
        """Whether it has IPv4 addresses."""
        ...

    @property
    def occupied(self) -> bool:
        """Whether nothing is left to give."""
        ...


class Allocation(Port):
    """One allocation, whole. What did not change is the same object as in the one before."""

    @property
    def services(self) -> Mapping[Key, Decision]:
        """Every Service that concerns us."""
        ...

    @property
    def pools(self) -> Mapping[str, PoolUse]:
        """Every usable pool, by name."""
        ...


class Nodes(Port):
    """The answer of eligibility for one address of a Service."""

    @property
    def announcing(self) -> frozenset[str]:
        """The nodes that shall announce it."""
        ...

    def refusal(self, node: str) -> Refused | None:
        """Why that node shall not."""
        ...


MayAnnounce = Callable[[Service, Address, Eip], Nodes]
"""Which nodes may announce an address of a Service that comes from a pool."""
