"""What can keep this source or its state from starting. Each is one sentence with the remedy."""


class FilesError(Exception):
    """The folder of manifests cannot be used at all."""


class StateError(Exception):
    """The state cannot be used; nothing may be allocated or announced."""


class DamagedState(StateError):
    """The database is damaged or missing; the sentence ends with the command that restores the copy."""


class AlreadyRunning(StateError):
    """Another process has the role that this one wants on the same state."""
