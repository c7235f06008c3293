"""What can go wrong between us and gobgpd, one exception per cause. Translated once, in `channel`.

The transport's own exception stays reachable as `__cause__`. No message contains a peer's password.
"""


class GobgpError(Exception):
    """Base of everything that this package raises about gobgpd."""


class SidecarUnavailable(GobgpError):
    """Nobody answers at the address: not started yet, ended, or the connection broke in the middle."""

    def __init__(self, target: str, detail: str) -> None:
        super().__init__(f"no gobgpd answers at {target}: {detail}")
        self.target = target


class SidecarHung(GobgpError):
    """The call was taken and not answered within its deadline, in seconds."""

    def __init__(self, target: str, call: str, deadline: float) -> None:
        super().__init__(f"gobgpd at {target} did not answer {call} within {deadline:g} s")
        self.target = target
        self.call = call


class UnknownApi(GobgpError):
    """Something answers, but it speaks neither GoBGP's 3.x nor its 4.x API."""

    def __init__(self, target: str) -> None:
        super().__init__(f"what listens at {target} speaks neither the API of GoBGP 3.x nor that of 4.x")
        self.target = target


class Rejected(GobgpError):
    """gobgpd understood the call and refused it; `text` is its own word."""

    def __init__(self, call: str, text: str) -> None:
        super().__init__(f"gobgpd refused {call}: {text}")
        self.call = call
        self.text = text


class NotStarted(Rejected):
    """The call needs StartBgp first."""


class Stopped(Rejected):
    """GoBGP 4.x after StopBgp: the process lives and refuses everything. End it and start it again."""


class Unsupported(GobgpError):
    """The desired state asks for something that the API of this gobgpd cannot express."""

    def __init__(self, what: str, needs: str) -> None:
        super().__init__(f"{what} needs GoBGP {needs}")
        self.what = what
        self.needs = needs
