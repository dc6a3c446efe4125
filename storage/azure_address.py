"""How a place in Azure Blob is written, and how to write of it without its secrets.

az://CONTAINER[/PREFIX]                                    account from the settings
az://ACCOUNT/CONTAINER[/PREFIX]                            as in the lists; ACCOUNT must be the
                                                           one in the settings
https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX][?SAS]
http://127.0.0.1:PORT/ACCOUNT/CONTAINER[/PREFIX]           the emulator, and other services
                                                           that put the account in the path
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from storage.errors import SourceNotFound, UsageError

SCHEME = "az://"
_FORMS = (
    "Write az://CONTAINER[/PREFIX] or https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX]."
)
_SECRETS = (
    re.compile(r"(?i)\b(sig=)[^&;\s\"'<>]+"),
    re.compile(r"(?i)\b(AccountKey=)[^;\s\"']+"),
    re.compile(r"(?i)\b(SharedAccessSignature=)[^;\s\"']+"),
    re.compile(r"(?i)\b(Bearer\s+)[\w.~+/=-]+"),
    re.compile(r"(?i)\b(SharedKey\s+[^:\s]+:)[\w+/=]+"),
)
# Containers: 3 to 63 lower-case letters, digits and single hyphens; or one of the special ones.
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|\$(root|web|logs)")


@dataclass(frozen=True, slots=True)
class AzureEndpoint:
    """A storage account.

    Attributes:
        url: of the blob service, without a query and without a slash at the end.
        account: its name.
        sas: a shared access signature, without the question mark; "" when there is none.
    """

    url: str
    account: str
    sas: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AzurePath:
    """A container, and the folder or blob in it; "" for all of it."""

    container: str
    prefix: str


def is_azure(location: str) -> bool:
    """Whether a location is one of the forms above."""
    return location.lower().startswith((SCHEME, "https://", "http://"))


def redact(text: str) -> str:
    """The text with signatures, keys and tokens replaced."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1REDACTED", text)
    return text


def blob_uri(account: str, container: str, name: str) -> str:
    """The URI of a blob, its name as it is; of the container when the name is ""."""
    return f"{SCHEME}{account}/{container}/{name}" if name else f"{SCHEME}{account}/{container}"


def parse_endpoint(url: str) -> AzureEndpoint:
    """The account of a service URL, which may carry a SAS.

    Raises:
        UsageError: not a URL of a blob service.
    """
    endpoint, rest = _split(url)
    if rest:
        raise UsageError(
            f"The account URL {redact(url)} names more than an account.",
            "Write https://ACCOUNT.blob.core.windows.net.",
        )
    return endpoint


def parse_url(url: str) -> tuple[AzureEndpoint, AzurePath]:
    """Account and path of the https form.

    Raises:
        UsageError: not a URL of a blob service.
        SourceNotFound: it names no container that can be.
    """
    endpoint, rest = _split(url)
    return endpoint, parse_path(rest, redact(url))


def parse_path(rest: str, location: str) -> AzurePath:
    """Container and prefix of CONTAINER[/PREFIX]; `location` is named in the error.

    Raises:
        SourceNotFound: it names no container that can be.
    """
    container, _, prefix = rest.partition("/")
    if not _CONTAINER.fullmatch(container):
        what = f"{container!r} cannot be the name of a container" if container else "no container"
        raise SourceNotFound(f"{location} names no container ({what}).", _FORMS)
    return AzurePath(container, prefix.strip("/"))


def _split(url: str) -> tuple[AzureEndpoint, str]:
    try:
        parts = urlsplit(url)
        host, netloc = parts.hostname or "", parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise UsageError(f"{redact(url)} is not a URL.", _FORMS) from error
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise UsageError(f"{redact(url)} is not the URL of a storage account.", _FORMS)
    path = unquote(parts.path).lstrip("/")
    base = f"{parts.scheme.lower()}://{netloc}"
    if _has_account_in_path(host):
        account, _, path = path.partition("/")
        base = f"{base}/{account}"
    else:
        account = host.partition(".")[0]
    if not account:
        raise UsageError(f"{redact(url)} names no storage account.", _FORMS)
    return AzureEndpoint(base, account, parts.query), path


def _has_account_in_path(host: str) -> bool:
    return "." not in host or ":" in host or bool(re.fullmatch(r"[\d.]+", host))
