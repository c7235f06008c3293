"""What owners say on the wire, field by field, and what is a question, a claim, or neither."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ethernet import BROADCAST, NO_MAC
from openelb_bgp.host.ndp import Advertisement, Solicitation, multicast_mac, solicited_node
from openelb_bgp.host.packets import Packet, build, parse, who_has
from openelb_bgp.layer2.packets import (
    ALL_NODES,
    Form,
    announcement,
    answer,
    asked_for,
    claimed,
    comes_from,
    is_answerable,
    probe,
)

OURS, THEIRS, GATEWAY_MAC = (bytes.fromhex(text) for text in ("02000000000a", "02000000000b", "020000000001"))
VIP, HOST, GATEWAY = (IPv4Address(text) for text in ("192.0.2.100", "192.0.2.2", "192.0.2.254"))
VIP6, HOST6 = IPv6Address("2001:db8::100"), IPv6Address("2001:db8::2")
EVERYBODY_MAC = bytes.fromhex("333300000001")


def arp(operation: Operation, *, sender: IPv4Address, target: IPv4Address, mac: bytes = THEIRS) -> Arp:
    return Arp(
        operation=operation,
        source=mac,
        destination=BROADCAST,
        sender_mac=mac,
        sender=sender,
        target_mac=NO_MAC,
        target=target,
    )


def solicitation(
    *, sender: IPv6Address = HOST6, to: IPv6Address | None = None, **more: object
) -> Solicitation:
    group = solicited_node(VIP6)
    fields = {"source": THEIRS, "destination": multicast_mac(group), "target": VIP6, "mac": THEIRS, **more}
    return Solicitation(sender=sender, to=to or group, **fields)  # type: ignore[arg-type]


def advertisement(*, mac: bytes | None = THEIRS) -> Advertisement:
    return Advertisement(
        source=THEIRS,
        destination=EVERYBODY_MAC,
        sender=VIP6,
        to=ALL_NODES,
        target=VIP6,
        mac=mac,
        override=True,
    )


REQUEST = arp(Operation.REQUEST, sender=HOST, target=VIP)
ARP_PROBE = arp(Operation.REQUEST, sender=IPv4Address(0), target=VIP)
GRATUITOUS_REQUEST = arp(Operation.REQUEST, sender=VIP, target=VIP)
GRATUITOUS_REPLY = arp(Operation.REPLY, sender=VIP, target=VIP)
DAD_PROBE = solicitation(sender=IPv6Address(0), mac=None)


@pytest.mark.parametrize(
    ("packet", "question", "claim"),
    [
        pytest.param(REQUEST, VIP, (HOST, THEIRS), id="an ARP request asks, and says who asks"),
        pytest.param(ARP_PROBE, VIP, None, id="an ARP probe asks only"),
        pytest.param(GRATUITOUS_REQUEST, None, (VIP, THEIRS), id="a gratuitous request asks nothing"),
        pytest.param(GRATUITOUS_REPLY, None, (VIP, THEIRS), id="a gratuitous reply asks nothing"),
        pytest.param(solicitation(), VIP6, (HOST6, THEIRS), id="a solicitation asks, and says who asks"),
        pytest.param(solicitation(mac=None), VIP6, (HOST6, THEIRS), id="without an option the frame says it"),
        pytest.param(DAD_PROBE, VIP6, None, id="a look for duplicates asks only"),
        pytest.param(solicitation(sender=VIP6), None, (VIP6, THEIRS), id="nobody asks for his own"),
        pytest.param(advertisement(), None, (VIP6, THEIRS), id="an advertisement"),
        pytest.param(advertisement(mac=None), None, (VIP6, THEIRS), id="an advertisement without a MAC"),
    ],
)
def test_tells_a_question_from_a_claim(packet: Packet, question: object, claim: object) -> None:
    assert (asked_for(packet), claimed(packet)) == (question, claim)


def test_an_arp_request_and_a_probe_are_answered_to_the_sender_alone() -> None:
    expected = {
        who: Arp(
            operation=Operation.REPLY,
            source=OURS,
            destination=THEIRS,
            sender_mac=OURS,
            sender=VIP,
            target_mac=THEIRS,
            target=who,
        )
        for who in (HOST, IPv4Address(0))
    }
    assert {
        who: answer(arp(Operation.REQUEST, sender=who, target=VIP), mac=OURS) for who in expected
    } == expected


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(solicitation(), id="to the group"),
        pytest.param(solicitation(to=VIP6, destination=OURS), id="to the address"),
        pytest.param(solicitation(to=VIP6, destination=OURS, mac=None), id="without a MAC"),
    ],
)
def test_a_solicitation_is_answered_to_its_sender_as_solicited_and_overriding(question: Solicitation) -> None:
    assert answer(question, mac=OURS) == Advertisement(
        source=OURS,
        destination=THEIRS,
        sender=VIP6,
        to=HOST6,
        target=VIP6,
        mac=OURS,
        router=False,
        solicited=True,
        override=True,
    )


def test_a_look_for_duplicates_is_answered_to_everybody_and_not_as_solicited() -> None:
    assert answer(DAD_PROBE, mac=OURS) == Advertisement(
        source=OURS,
        destination=EVERYBODY_MAC,
        sender=VIP6,
        to=ALL_NODES,
        target=VIP6,
        mac=OURS,
        router=False,
        solicited=False,
        override=True,
    )


def test_what_is_said_leaves_with_hop_limit_255_and_a_right_checksum() -> None:
    for packet in (answer(solicitation(), mac=OURS), answer(DAD_PROBE, mac=OURS)):
        frame = build(packet)
        assert frame[21] == 255
        assert parse(frame) == packet


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(arp(Operation.REQUEST, sender=HOST, target=VIP, mac=BROADCAST), id="from everybody"),
        pytest.param(arp(Operation.REQUEST, sender=HOST, target=VIP, mac=NO_MAC), id="from no MAC"),
        pytest.param(solicitation(mac=EVERYBODY_MAC), id="with a group as its MAC"),
        pytest.param(solicitation(sender=ALL_NODES), id="from a group"),
    ],
)
def test_a_question_whose_answer_would_flood_the_lan_gets_none(packet: Packet) -> None:
    assert not is_answerable(packet)


def test_ordinary_questions_are_answerable() -> None:
    assert all(is_answerable(one) for one in (REQUEST, ARP_PROBE, solicitation(), DAD_PROBE))


def test_a_packet_comes_from_the_frames_mac_and_from_the_one_inside() -> None:
    assert comes_from(solicitation(mac=OURS)) == (THEIRS, OURS)
    assert comes_from(DAD_PROBE) == (THEIRS,)
    assert comes_from(REQUEST) == (THEIRS, THEIRS)


@pytest.mark.parametrize(
    ("form", "operation", "target", "target_mac", "destination"),
    [
        (Form.ARP_REQUEST, Operation.REQUEST, VIP, NO_MAC, BROADCAST),
        (Form.ARP_REPLY, Operation.REPLY, VIP, OURS, BROADCAST),
        (Form.ARP_TO_GATEWAY, Operation.REQUEST, GATEWAY, NO_MAC, GATEWAY_MAC),
    ],
)
def test_an_ipv4_address_is_announced_in_three_forms(
    form: Form, operation: Operation, target: IPv4Address, target_mac: bytes, destination: bytes
) -> None:
    assert announcement(VIP, form, mac=OURS, gateway=(GATEWAY, GATEWAY_MAC)) == Arp(
        operation=operation,
        source=OURS,
        destination=destination,
        sender_mac=OURS,
        sender=VIP,
        target_mac=target_mac,
        target=target,
    )


def test_an_ipv6_address_is_announced_to_all_nodes_overriding_and_unsolicited() -> None:
    assert announcement(VIP6, Form.ADVERTISEMENT, mac=OURS) == answer(DAD_PROBE, mac=OURS)


@pytest.mark.parametrize(
    ("address", "form"),
    [(VIP, Form.ADVERTISEMENT), (VIP6, Form.ARP_REQUEST), (VIP, Form.ARP_TO_GATEWAY)],
)
def test_an_address_is_not_announced_in_a_form_that_it_does_not_have(
    address: IPv4Address | IPv6Address, form: Form
) -> None:
    with pytest.raises(ValueError, match="cannot be announced"):
        announcement(address, form, mac=OURS)


def test_a_probe_names_nobody_as_its_sender() -> None:
    assert probe(VIP, mac=THEIRS) == ARP_PROBE
    assert probe(VIP6, mac=THEIRS) == DAD_PROBE


def test_what_this_module_says_is_what_it_hears() -> None:
    assert asked_for(who_has(VIP, mac=OURS, source=HOST)) == VIP
    assert claimed(announcement(VIP, Form.ARP_REPLY, mac=OURS)) == (VIP, OURS)
