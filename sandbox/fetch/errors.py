"""What can go wrong when something is fetched. No message shows a login."""

from sandbox.errors import HostError


class FetchError(HostError):
    """A file cannot be fetched: no name, refused, a certificate, a proxy, a wrong checksum."""

    def __init__(self, message: str, *, url: str, details: str = "", hint: str = "") -> None:
        super().__init__(message, details=details, hint=hint)
        self.url = url
        """The public URL, without a login."""
        self.status: int | None = None
        """What the server answered, where that is the trouble."""


class AbsentFileError(FetchError):
    """The server says that it does not have the file (404, 410) or does not give it (403)."""


class WrongSumError(FetchError):
    """Other bytes came than the checksum says; they were thrown away."""
