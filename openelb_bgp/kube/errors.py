"""What a request to the API server can end with: one exception per cause, translated once, in `client`.

HTTP 410 is `Expired`, not Gone: that is what `ports` calls a deleted object. Each text is one sentence for a
log or a status; none holds a token. Sources: Kubernetes API Conventions, "Response Status Kind"; RFC 9110.
"""

import msgspec


class KubeError(Exception):
    """Anything that came of a request but its answer."""


class NoAccess(KubeError):
    """Nothing says where the API server is or how to prove who we are; the text names the remedy."""


class Unreachable(KubeError):
    """No connection, or it broke. `sent` says that the API server may have received the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Distrusted(Unreachable):
    """The server's certificate is not signed by the cluster's CA, or names another host."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class TimedOut(KubeError):
    """No whole answer in time. `sent` says that the API server may have received the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Cause(msgspec.Struct, frozen=True):
    """One thing that is wrong in an object (meta/v1, StatusCause)."""

    field: str = ""
    message: str = ""
    reason: str = ""


class Answered(KubeError):
    """The API server refused, with this HTTP status."""

    def __init__(self, message: str, *, code: int, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.causes = causes


class Unauthorized(Answered):
    """401: the token is not accepted, also after it was read again."""


class Forbidden(Answered):
    """403: RBAC or an admission policy says no."""


class NotFound(Answered):
    """404: there is no such object, or no such kind."""


class Conflict(Answered):
    """409: the object has changed since, or another field manager owns a field."""


class AlreadyExists(Answered):
    """409 with reason AlreadyExists: there is an object of that name."""


class Expired(Answered):
    """410: that resourceVersion or continue token is no longer kept."""


class Invalid(Answered):
    """422, 400 or 413: the object or the request is wrong; `causes` says which field."""


class TooManyRequests(Answered):
    """429: come back after `retry_after` seconds."""

    def __init__(self, message: str, *, code: int, causes: tuple[Cause, ...], retry_after: float) -> None:
        super().__init__(message, code=code, causes=causes)
        self.retry_after = retry_after


class ServerError(Answered):
    """5xx, or an answer that is no answer of an API server: a proxy's page, half a document."""


class VersionTooLarge(ServerError):
    """504 with cause ResourceVersionTooLarge: the server knows less than we do, as after a restored etcd."""


class _Details(msgspec.Struct):
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: int | None = msgspec.field(default=None, name="retryAfterSeconds")


class _Status(msgspec.Struct):
    """meta/v1, Status."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


_LONGEST = 1000
_BY_CODE: dict[int, type[Answered]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: Invalid,
    422: Invalid,
}
_TOO_LARGE = "ResourceVersionTooLarge"
_FIRST_PATIENCE = 1.0


def answered(code: int, body: bytes | msgspec.Raw, *, retry_after: str | None = None) -> Answered:
    """The exception for an answer of 400 or more, or for the object of an ERROR event.

    `code` 0: as the Status says. `retry_after` is the header of that name, in seconds.
    """
    try:
        status = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:
        # What a proxy answers says nothing to anybody here.
        status = _Status(message=f"answered {code}")
    details = status.details or _Details()
    code, causes = code or status.code or 500, details.causes or ()
    message = (status.message or status.reason or f"answered {code}")[:_LONGEST]
    if code == 429:
        seconds = _seconds(retry_after, details.retry_after_seconds)
        return TooManyRequests(message, code=code, causes=causes, retry_after=seconds)
    if any(cause.reason == _TOO_LARGE for cause in causes):
        return VersionTooLarge(message, code=code, causes=causes)
    if code == 409 and status.reason == "AlreadyExists":
        return AlreadyExists(message, code=code, causes=causes)
    return _BY_CODE.get(code, ServerError)(message, code=code, causes=causes)


def _seconds(header: str | None, written: int | None) -> float:
    if header is not None and header.isdecimal():
        return float(header)
    return float(written) if written else _FIRST_PATIENCE
