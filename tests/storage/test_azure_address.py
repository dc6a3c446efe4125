import pytest

from storage.azure_address import is_azure, parse_endpoint, parse_url, redact
from storage.errors import UsageError


@pytest.mark.parametrize(
    ("url", "account", "base", "container", "prefix", "sas"),
    [
        (
            "https://acme.blob.core.windows.net/photos",
            "acme", "https://acme.blob.core.windows.net", "photos", "", "",
        ),
        (
            "https://acme.blob.core.windows.net/photos/a%20b/c/?sv=1&sig=x%3D",
            "acme", "https://acme.blob.core.windows.net", "photos", "a b/c", "sv=1&sig=x%3D",
        ),
        (
            "http://127.0.0.1:10000/devstoreaccount1/photos/2024",
            "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1", "photos", "2024", "",
        ),
        (
            "http://azurite:10000/other/$root",
            "other", "http://azurite:10000/other", "$root", "", "",
        ),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart(url, account, base, container, prefix, sas):
    endpoint, path = parse_url(url)
    assert (endpoint.account, endpoint.url, endpoint.sas) == (account, base, sas)
    assert (path.container, path.prefix) == (container, prefix)


@pytest.mark.parametrize("url", ["https://", "ftp://acme/x", "acme", "https://acme.x.y/photos"])
def test_an_account_url_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="Write"):
        parse_endpoint(url)


def test_secrets_are_replaced_and_the_rest_is_kept():
    text = (
        "GET https://a.b/c?sv=1&sig=abc%2Bd%3D&se=2 failed; AccountName=n;AccountKey=a+b/c==;x "
        "Authorization: Bearer eyJ.abc-_ and SharedKey acme:q+/= then"
    )
    assert redact(text) == (
        "GET https://a.b/c?sv=1&sig=REDACTED&se=2 failed; AccountName=n;AccountKey=REDACTED;x "
        "Authorization: Bearer REDACTED and SharedKey acme:REDACTED then"
    )


def test_an_endpoint_does_not_show_its_sas():
    assert "abc" not in repr(parse_endpoint("https://acme.blob.core.windows.net/?sig=abc"))


def test_folders_and_azure_are_told_apart():
    assert is_azure("az://photos") and is_azure("HTTPS://acme.blob.core.windows.net/x")
    assert not is_azure("/az/photos") and not is_azure("photos") and not is_azure("https")
