"""What may be sent beside addresses that come and go."""

from openelb_bgp.kube.precedence import BREATH, CALM_AFTER, OTHERS_AT_ONCE, Precedence


def test_with_no_address_in_flight_many_others_are_sent_at_once() -> None:
    calm = Precedence()
    sent = 0
    while calm.may_send_other(10.0, in_flight=sent):
        calm.note_other(10.0)
        sent += 1
    assert (sent, calm.due(20.0)) == (OTHERS_AT_ONCE, None)


def test_beside_addresses_one_other_goes_at_a_time_and_then_none_for_a_breath() -> None:
    busy = Precedence()
    busy.note_urgent(10.0)
    assert busy.may_send_other(10.0, in_flight=0)
    assert not busy.may_send_other(10.0, in_flight=1)
    busy.note_other(10.0)
    busy.note_urgent(10.2)
    assert not busy.may_send_other(10.2, in_flight=0)
    assert busy.due(10.2) == 10.0 + BREATH
    assert busy.may_send_other(10.0 + BREATH, in_flight=0)


def test_a_moment_after_the_last_address_the_others_go_on() -> None:
    busy = Precedence()
    busy.note_urgent(10.0)
    busy.note_other(10.0)
    assert not busy.may_send_other(10.1, in_flight=1)
    assert busy.may_send_other(10.0 + CALM_AFTER, in_flight=1)
