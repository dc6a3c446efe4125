"""From an Azure location and the settings to a client that may sign in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests
from azure.core.credentials import AzureSasCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient, ContainerClient
from requests.adapters import HTTPAdapter

from storage.azure_address import (
    SCHEME,
    AzureEndpoint,
    AzurePath,
    parse_endpoint,
    parse_path,
    parse_url,
)
from storage.azure_faults import WAYS_IN
from storage.errors import CredentialsError

# More connections than readers there will be, so that none is thrown away after one request.
_CONNECTIONS = 128
_CONNECT_SECONDS = 10.0
# Between two pieces of an answer. The deadline of the whole read is the source's.
SILENCE_SECONDS = 20.0
_EMULATOR_ACCOUNT = "devstoreaccount1"
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


@dataclass(frozen=True, slots=True)
class AzureContainer:
    """A container with a client for it.

    Attributes:
        service: to be closed in the end.
        client: makes one request per call, without retries.
        account: its name.
        path: the container, and the folder in it.
    """

    service: BlobServiceClient
    client: ContainerClient
    account: str
    path: AzurePath


def connect(
    location: str,
    *,
    account_url: str,
    connection_string: str,
    silence: float = SILENCE_SECONDS,
) -> AzureContainer:
    """The container of a location. Nothing is sent yet.

    A SAS in the URL counts most; then the connection string, when it is for the same account; then
    the identity of this machine or user (DefaultAzureCredential). For `az://CONTAINER` the account
    is that of `account_url`, or else of the connection string.

    Args:
        silence: seconds without a byte after which a request is given up.

    Raises:
        CredentialsError: no account or no way in, or a malformed connection string.
        SourceNotFound: the location names no container.
        UsageError: not a URL of a storage account.
    """
    if location.lower().startswith(SCHEME):
        if account_url:
            endpoint = parse_endpoint(account_url)
        elif connection_string:
            endpoint = _endpoint_of(connection_string)
        else:
            raise CredentialsError(f"No storage account is known for {location}.", WAYS_IN)
        rest = location[len(SCHEME) :]
        first, _, below = rest.partition("/")
        if first == endpoint.account and below:
            rest = below
        path = parse_path(rest, location)
        # With both given, the URL is the request to sign in with an identity.
        service = _service(endpoint, "" if account_url else connection_string, silence)
    else:
        endpoint, path = parse_url(location)
        if account_url and not endpoint.sas:
            configured = parse_endpoint(account_url)
            if configured.url == endpoint.url:
                endpoint = configured
        service = _service(endpoint, connection_string, silence)
    client = service.get_container_client(path.container)
    return AzureContainer(service, client, endpoint.account, path)


def _service(endpoint: AzureEndpoint, connection_string: str, silence: float) -> BlobServiceClient:
    options = client_options(endpoint.url, silence)
    if endpoint.sas:
        sas = AzureSasCredential(endpoint.sas)
        return BlobServiceClient(endpoint.url, credential=sas, **options)
    if connection_string and _endpoint_of(connection_string).account == endpoint.account:
        return _from_connection_string(connection_string, **options)
    if endpoint.account == _EMULATOR_ACCOUNT:
        return BlobServiceClient(
            endpoint.url, credential=well_known_key(endpoint.account), **options
        )
    if not endpoint.url.startswith("https://"):
        raise CredentialsError(
            f"There is no key for {endpoint.url}, and signing in needs https.", WAYS_IN
        )
    # Takes a second to import, and is needed here only.
    from azure.identity import DefaultAzureCredential

    return BlobServiceClient(endpoint.url, credential=DefaultAzureCredential(), **options)


def well_known_key(account: str) -> str:
    """The key of the emulator's account; "" for any other."""
    if account != _EMULATOR_ACCOUNT:
        return ""
    # It is public and the same everywhere; the SDK knows it.
    known = BlobServiceClient.from_connection_string("UseDevelopmentStorage=true")
    return str(known.credential.account_key)


def key_of(connection_string: str, account: str) -> str:
    """The key of this account in the connection string; "" when it has none.

    Raises:
        CredentialsError: it is malformed.
    """
    if not connection_string or _endpoint_of(connection_string).account != account:
        return ""
    return _settings_of(connection_string).get("AccountKey", "")


def client_options(url: str, silence: float = SILENCE_SECONDS) -> dict[str, Any]:
    """For a client of the SDK that makes one request per call."""
    session = requests.Session()
    # A proxy is for the world outside; the emulator is on this machine.
    session.trust_env = not url.startswith(LOOPBACK)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0))
    return {
        # The client's own keywords for these do not reach a transport that was given to it.
        "transport": RequestsTransport(
            session=session, connection_timeout=_CONNECT_SECONDS, read_timeout=silence
        ),
        # The SDK waits 15 s and more after a 503, and gives up at once after a 429: the source
        # repeats requests itself.
        "retry_total": 0,
        # One GET per read, however large.
        "max_single_get_size": 1 << 40,
    }


def _endpoint_of(connection_string: str) -> AzureEndpoint:
    service = _from_connection_string(connection_string)
    endpoint = parse_endpoint(service.url)
    # A custom domain does not show the account's name.
    account = _settings_of(connection_string).get("AccountName", endpoint.account)
    return AzureEndpoint(endpoint.url, account, endpoint.sas)


def _settings_of(connection_string: str) -> dict[str, str]:
    parts = (part.strip() for part in connection_string.split(";"))
    return dict(part.split("=", 1) for part in parts if "=" in part)


def _from_connection_string(connection_string: str, **options: Any) -> BlobServiceClient:
    try:
        return BlobServiceClient.from_connection_string(connection_string, **options)
    except ValueError as error:
        # The SDK's message is left out: it may quote the string, and that holds the key.
        raise CredentialsError(
            "The Azure connection string (AZURE_STORAGE_CONNECTION_STRING) is malformed.",
            "Copy it again from the storage account's page `Access keys`.",
        ) from error
