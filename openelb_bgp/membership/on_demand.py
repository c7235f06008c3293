"""Membership for a speaker that may not need it: nothing is imported or opened before heartbeats are wanted.

They beat on a loop beside the speaker's, so that no plan, however long it takes, makes others believe that
this node is dead. Also here: where the keys come from, a Secret in the snapshot or else a file.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from openelb_bgp.lib.beside import Beside
from openelb_bgp.lib.kept import Kept
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Link
from openelb_bgp.model.keys import MEMBERSHIP_SECRET
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem
from openelb_bgp.ports import Clock

from .key_file import KeyFile
from .peers import others, secret_keys
from .timing import Timing

if TYPE_CHECKING:
    from .service import Heartbeats

_KEY_FILE_SECONDS = 2.0


class MembershipOnDemand:
    """What a speaker knows of the other members; `changed` is called when that has changed."""

    def __init__(
        self,
        node: str,
        *,
        namespace: str,
        clock: Clock,
        changed: Callable[[], None],
        timing: Timing,
        port: int,
        address: Address | None = None,
        key_file: Path | None = None,
    ) -> None:
        """The port is UDP, and `address` the only one of this node where it is open beside the LANs'."""
        self._node = node
        self._namespace = namespace
        self._secret = f"{namespace}/{MEMBERSHIP_SECRET}"
        self._clock = clock
        self._changed = changed
        self._timing = timing
        self._port = port
        self._address = address
        self._key_file = None if key_file is None else KeyFile(key_file)
        self._keys: tuple[bytes, ...] = ()
        self._is_from_secret = False
        self._peers: tuple[str, ...] = ()
        self._kept = Kept("heartbeats", make=self._make, discard=_close, changed=changed)
        self._outdated = self._void = Members()

    @property
    def members(self) -> Members:
        """Who is alive now; void while nobody has asked for heartbeats.

        A pause of this process that nothing else has noticed yet is noticed here.
        """
        if self._kept.running is None:
            return Members()
        seen, now = self._kept.running.it.seen, self._clock.monotonic()
        if seen.members.void or now < seen.until:
            return seen.members
        if self._outdated is not seen.members:
            self._outdated = seen.members
            self._void = msgspec.structs.replace(seen.members, void=True, since=now)
        return self._void

    def aim(self, interfaces: Collection[str], links: Iterable[Link], snapshot: Snapshot) -> None:
        """Watch on these interfaces from now on, if on any at all."""
        running = self._kept.begun() if interfaces else self._kept.running
        if running is None:
            return
        from .service import Aim

        peers = others(snapshot, own=self._node)
        self._peers = tuple(peers or ())
        self._keys = self._read_keys(snapshot)
        chosen = tuple(link for link in links if link.name in interfaces)
        running.beside.tell(running.it.aim, Aim(links=chosen, peers=peers, keys=self._keys))

    def _make(self, beside: Beside) -> "Heartbeats":
        from .service import Heartbeats

        return Heartbeats(
            self._node,
            clock=self._clock,
            changed=lambda: beside.tell_home(self._changed),
            silence=beside.home_silent_for,
            timing=self._timing,
            port=self._port,
            address=self._address,
        )

    def _read_keys(self, snapshot: Snapshot) -> tuple[bytes, ...]:
        found = secret_keys(snapshot, namespace=self._namespace)
        self._is_from_secret = bool(found)
        return found if found or self._key_file is None else self._key_file.read()

    async def run(self) -> None:
        """Follow the key file, if there is one, and have heartbeats that failed begin again; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._kept.run())
            if self._key_file is not None:
                tasks.create_task(self._follow(self._key_file))

    async def _follow(self, key_file: KeyFile) -> None:
        while True:
            await self._clock.sleep(_KEY_FILE_SECONDS)
            is_used = self._kept.running is not None and not self._is_from_secret
            if is_used and key_file.read() != self._keys:
                self._changed()

    def leave(self) -> None:
        """Say goodbye to the others; they take over what this node owns, and are answered until the end."""
        if (running := self._kept.running) is not None:
            running.beside.tell(running.it.leave)

    async def close(self) -> None:
        """End, once the goodbye has been told as often as news are."""
        if self._kept.running is not None:
            await self._clock.sleep(self._timing.interval)
        await self._kept.close()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What keeps this node from hearing others, with the remedies."""
        if self._kept.failure:
            return (Problem.of(ref(Kind.NODE, self._node), Reason.HEARTBEATS_FAILED, self._has_failed()),)
        if self._kept.running is None:
            return ()
        found = self._kept.running.it.seen.problems
        if self._keys or not self._peers:
            return found
        missing = Problem.of(ref(Kind.NODE, self._node), Reason.MEMBERSHIP_KEY_MISSING, self._no_key())
        return (missing, *found)

    def _has_failed(self) -> str:
        return (
            f"heartbeats have failed ({self._kept.failure}), and this node owns nothing meanwhile; they "
            "begin again by themselves; report it with the speaker's log"
        )

    def _no_key(self) -> str:
        named = ", ".join(self._peers[:5]) + (" …" if len(self._peers) > 5 else "")
        why = "" if self._key_file is None else f" ({self._key_file.error})"
        return (
            f"nothing is heard of the speakers of {named}, and nothing announced that needs one owner among "
            f"them: there is no key to sign heartbeats with{why}; make the Secret {self._secret} with a "
            "field `key` of 16 bytes or more, or give every speaker the same --membership-key-file"
        )


def _close(heartbeats: "Heartbeats") -> None:
    heartbeats.close()
