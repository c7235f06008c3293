"""What the links of a simulated LAN do to datagrams, beside cutting them off."""

from typing import NamedTuple


class Weather(NamedTuple):
    """Shares of 1, and seconds. `twice` come so; a lost one does not.

    `late` are held up for up to LATEST, whatever the delay of the others: what is sent later may come first.
    """

    loss: float = 0.0
    delay: tuple[float, float] = (0.0001, 0.001)
    twice: float = 0.0
    late: float = 0.0


LATEST = 0.5
FAIR = Weather()
