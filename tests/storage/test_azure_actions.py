"""Changing blobs beyond the contract: faults on a real connection, soft delete and versions,
batches, leases, credentials."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    ContentSettings,
    ResourceTypes,
    generate_account_sas,
    generate_container_sas,
)

from resolve.apply.steps import Act, carry_out, take_back
from storage.actions import Action, BlobState
from storage.azure_account import connect
from storage.azure_actions import AzureActions
from storage.azure_body import BodyDigest
from storage.errors import ActRefused, BlobChanged, CredentialsError, SourceUnavailable
from storage.open_actions import OpenStores, store_key
from storage.open_source import SourceOptions
from storage.retry import Pauses
from tests.azurite import ACCOUNT, KEY
from tests.storage.fault_proxy import CutAfter, FaultProxy, Refuse, Trickle, fault_proxy
from tests.storage.history_proxy import history_proxy

CONTENT = bytes(range(256)) * 40
QUICK = Pauses(first=0.01, longest=0.05)
TAGS = {"year": "2020"}


def _port(connection_string: str) -> int:
    return int(connection_string.rpartition("127.0.0.1:")[2].partition("/")[0])


def _actions(azurite: str, name: str, port: int, deadline: float = 5.0) -> AzureActions:
    through = azurite.replace(str(_port(azurite)), str(port))
    connected = connect(f"az://{name}", account_url="", connection_string=through)
    return AzureActions(
        connected.service, ACCOUNT, requests_per_second=1000, deadline=deadline, pauses=QUICK
    )


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        client = service.create_container(f"acts-{uuid.uuid4().hex}")
        service.create_container(f"{client.container_name}-q")
        for name in ("a.jpg", "b.jpg"):
            put(client, name)
        yield client


def put(client: ContainerClient, name: str, content: bytes = CONTENT) -> None:
    client.upload_blob(
        name,
        content,
        overwrite=True,
        content_settings=ContentSettings(content_type="image/jpeg", cache_control="no-cache"),
        metadata={"who": "me"},
        tags=TAGS,
    )


@pytest.fixture
def proxy(azurite: str) -> Iterator[FaultProxy]:
    with fault_proxy(_port(azurite)) as running:
        yield running


@pytest.fixture
def store(azurite: str, container: ContainerClient, proxy: FaultProxy) -> Iterator[AzureActions]:
    opened = _actions(azurite, container.container_name, proxy.server_address[1])
    yield opened
    opened.close()


def uri(container: ContainerClient, name: str = "a.jpg") -> str:
    return f"az://{ACCOUNT}/{container.container_name}/{name}"


def state_of(store: AzureActions, where: str) -> BlobState:
    state = store.stat(where, with_properties=True)
    assert state is not None
    return state


def act_on(store: AzureActions, where: str, action: Action) -> Act:
    state = state_of(store, where)
    assert state.properties is not None
    place = where.rpartition("/")[0] + "-q"
    return Act(
        action,
        where,
        state.etag,
        state.size,
        sha256(CONTENT).hexdigest(),
        keep="az://x/y/z",
        keep_etag="0x1",
        target=f"{place}/run/a.jpg" if action is Action.QUARANTINE else "",
        tag=("dedup", "delete") if action is Action.TAG else (),
        version_id=state.version_id,
        properties=state.properties,
    )


@pytest.mark.parametrize("action", [Action.TAG, Action.QUARANTINE, Action.DELETE])
@pytest.mark.parametrize(
    "fault", [Refuse(503, {"Retry-After": "0"}), Refuse(429), Refuse(500), CutAfter(0, True)]
)
def test_a_fault_at_any_request_of_an_act_is_tried_again(store, container, proxy, action, fault):
    # CutAfter: the service did it, and its answer was lost.
    for place in range(8):
        put(container, "a.jpg")
        act = act_on(store, uri(container), action)
        proxy.faults.clear()
        seen = len(proxy.seen)
        # None: that request meets no fault.
        proxy.faults.extend([None] * place + [fault])
        carry_out(act, store)
        is_there = container.get_blob_client("a.jpg").exists()
        assert is_there == (action is Action.TAG)
        if action is Action.QUARANTINE:
            hidden = BlobState(act.target, act.size, state_of(store, act.target).etag)
            assert store.digest(hidden) == sha256(CONTENT).digest()
            store.delete([hidden])
        if len(proxy.seen) - seen <= place:
            break


@pytest.mark.parametrize("fault", [CutAfter(4000), CutAfter(4000, True), CutAfter(0)])
def test_a_body_that_breaks_off_is_carried_on_and_never_half_digested(
    store, container, proxy, fault
):
    state = state_of(store, uri(container))
    seen = len(proxy.seen)
    proxy.faults.append(fault)
    assert store.digest(state) == sha256(CONTENT).digest()
    asked = [one.range for one in proxy.seen[seen:]]
    # From where it broke off: of what had come when the connection was reset, nothing is certain.
    assert len(asked) == 2
    if fault == CutAfter(4000):
        assert asked[1].startswith("bytes=4000-")


def test_a_body_that_trickles_is_given_up_in_time(azurite, container, proxy):
    through = _actions(azurite, container.container_name, proxy.server_address[1])
    state = state_of(through, uri(container))
    slow = AzureActions(
        through._requests.service, ACCOUNT, requests_per_second=1000, deadline=0.5, pauses=QUICK
    )
    proxy.faults.extend([Trickle(0.05)] * 3)
    begun = time.monotonic()
    with pytest.raises(SourceUnavailable):
        slow.digest(state)
    assert time.monotonic() - begun < 5


def test_a_blob_that_changes_while_its_body_breaks_off_is_no_digest(store, container, proxy):
    state = state_of(store, uri(container))
    proxy.faults.append(CutAfter(4000))
    changed = CONTENT[::-1]

    def change_then_download(*, offset: int, **span: object) -> object:
        if offset:
            put(container, "a.jpg", changed)
        return store._requests.download(state, offset=offset, **span)

    body = BodyDigest(state, change_then_download, store._requests.now)
    with pytest.raises(BlobChanged):
        store._requests.read(state.uri, 5, body.attempt)


def test_a_service_that_does_not_answer_leaves_the_blob(store, container, proxy):
    act = act_on(store, uri(container), Action.QUARANTINE)
    slow = AzureActions(
        store._requests.service, ACCOUNT, requests_per_second=1000, deadline=0.3, pauses=QUICK
    )
    proxy.faults.extend([Refuse(503)] * 200)
    with pytest.raises(SourceUnavailable, match="503"):
        carry_out(act, slow)
    assert container.get_blob_client("a.jpg").exists()


@pytest.mark.parametrize("has_versions", [False, True], ids=["soft delete", "versions"])
def test_what_is_deleted_comes_back_with_all_it_had(azurite, container, has_versions):
    with history_proxy(azurite, has_versions=has_versions) as proxy:
        store = _actions(azurite, container.container_name, proxy.server_address[1])
        where = uri(container, "a ü#.jpg")
        put(container, "a ü#.jpg")
        before = state_of(store, where)
        assert bool(before.version_id) == has_versions
        assert store.keeps_deleted(where)
        probes = [path for _, path in proxy.seen if ".dedup-probe" in path]
        assert store.keeps_deleted(where)
        assert [path for _, path in proxy.seen if ".dedup-probe" in path] == probes
        act = act_on(store, where, Action.DELETE)
        carry_out(act, store)
        assert store.stat(where) is None
        for _ in range(2):
            take_back(act, store)
            after = state_of(store, where)
            assert after.properties == before.properties
            assert store.digest(after) == sha256(CONTENT).digest()
        assert not [name for name in container.list_blob_names() if "probe" in name]


def test_a_blob_older_than_the_keeping_of_versions_comes_back_from_its_newest(azurite, container):
    with history_proxy(azurite, has_versions=True) as proxy:
        store = _actions(azurite, container.container_name, proxy.server_address[1])
        state = state_of(store, uri(container))
        assert store.delete([state]) == [None]
        assert store.restore(state.uri, "")
        assert container.download_blob("a.jpg").readall() == CONTENT


def test_many_blobs_are_deleted_in_one_request(store, container, proxy):
    states = []
    for number in range(6):
        put(container, f"{number}.jpg")
        states.append(state_of(store, uri(container, f"{number}.jpg")))
    put(container, "2.jpg", b"new")
    seen = len(proxy.seen)
    outcomes = store.delete(states)
    assert [type(one) for one in outcomes] == [
        BlobChanged if number == 2 else type(None) for number in range(6)
    ]
    methods = [one.method for one in proxy.seen[seen:]]
    # The batch; then the one that it refused, asked by itself and looked at.
    assert methods == ["POST", "DELETE", "HEAD"]
    assert sorted(container.list_blob_names()) == ["2.jpg", "a.jpg", "b.jpg"]


@pytest.mark.parametrize("fault", [Refuse(400), Refuse(503), CutAfter(0, True), CutAfter(90)])
def test_where_a_batch_fails_blobs_are_deleted_one_by_one(store, container, proxy, fault):
    states = [state_of(store, uri(container, name)) for name in ("a.jpg", "b.jpg")]
    proxy.faults.append(fault)
    assert store.delete(states) == [None, None]
    assert list(container.list_blob_names()) == []
    seen = len(proxy.seen)
    for name in ("a.jpg", "b.jpg"):
        put(container, name)
    store.delete([state_of(store, uri(container, name)) for name in ("a.jpg", "b.jpg")])
    assert "POST" not in [one.method for one in proxy.seen[seen:]]


def test_one_blob_that_does_not_answer_does_not_hide_what_became_of_the_others(container, proxy):
    connection = f"BlobEndpoint=http://127.0.0.1:{proxy.server_address[1]}/{ACCOUNT};"
    service = BlobServiceClient.from_connection_string(
        f"AccountName={ACCOUNT};AccountKey={KEY};{connection}", retry_total=0
    )
    hurried = AzureActions(
        service, ACCOUNT, requests_per_second=1000, deadline=0.4, pauses=Pauses(0.1, 0.1)
    )
    states = [state_of(hurried, uri(container, name)) for name in ("a.jpg", "b.jpg")]
    put(container, "a.jpg", b"new")
    # The batch fails; the first deletion is refused for its ETag, and then nothing is answered.
    proxy.faults.extend([Refuse(400), None, *[Refuse(503)] * 200])
    outcomes = hurried.delete(states)
    assert [type(one) for one in outcomes] == [SourceUnavailable, SourceUnavailable]
    proxy.faults.clear()
    assert [type(one) for one in hurried.delete(states)] == [BlobChanged, type(None)]
    assert list(container.list_blob_names()) == ["a.jpg"]


def test_a_leased_blob_and_one_with_snapshots_stay_and_say_why(store, container):
    state = state_of(store, uri(container))
    lease = container.get_blob_client("a.jpg").acquire_lease()
    assert "leased" in state_of(store, uri(container)).refusal
    (error,) = store.delete([state])
    assert isinstance(error, ActRefused)
    assert "leased" in str(error)
    with pytest.raises(ActRefused, match="leased"):
        store.set_tags(state.uri, {"a": "b"})
    lease.release()
    container.get_blob_client("a.jpg").create_snapshot()
    (error,) = store.delete([state])
    assert isinstance(error, ActRefused)
    assert "snapshots" in str(error)
    assert container.get_blob_client("a.jpg").exists()


def _account_sas(permission: AccountSasPermissions) -> str:
    return generate_account_sas(
        ACCOUNT,
        KEY,
        ResourceTypes(container=True, object=True),
        permission,
        datetime.now(UTC) + timedelta(hours=1),
    )


def test_a_sas_moves_blobs_and_is_shown_nowhere(azurite, container):
    permission = AccountSasPermissions(
        read=True, write=True, delete=True, list=True, create=True, tag=True, add=True
    )
    sas = _account_sas(permission)
    url = f"http://127.0.0.1:{_port(azurite)}/{ACCOUNT}?{sas}"
    stores = OpenStores(SourceOptions(account_url=url, max_requests_per_second=1000))
    store = stores.of(uri(container))
    before = state_of(store, uri(container))
    act = act_on(store, uri(container), Action.QUARANTINE)
    carry_out(act, store)
    assert store.stat(act.uri) is None
    take_back(act, store)
    assert state_of(store, act.uri).properties == before.properties
    assert "sig=" not in str(act.as_json()) + repr(before)
    stores.close()


def test_credentials_that_only_read_are_an_error_that_names_the_role_and_no_secret(
    azurite, container
):
    sas = generate_container_sas(
        ACCOUNT,
        container.container_name,
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, list=True, tag=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    url = f"http://127.0.0.1:{_port(azurite)}/{ACCOUNT}?{sas}"
    stores = OpenStores(SourceOptions(account_url=url, max_requests_per_second=1000))
    store = AzureActions(stores.of(uri(container))._requests.service, ACCOUNT, pauses=QUICK)
    act = act_on(_actions(azurite, container.container_name, _port(azurite)), uri(container), "tag")
    signature = sas.partition("sig=")[2].partition("&")[0]
    for action in (Action.DELETE, Action.QUARANTINE):
        wanted = Act.from_json(act.as_json() | {"action": action.value, "target": f"{act.uri}.q"})
        with pytest.raises((CredentialsError, ActRefused)) as raised:
            carry_out(wanted, store)
        assert signature not in str(raised.value)
        assert "a.jpg" in str(raised.value)
    with pytest.raises(CredentialsError, match="Storage Blob Data Owner"):
        AzureActions(stores.of(uri(container))._requests.service, ACCOUNT, pauses=QUICK).set_tags(
            "az://devstoreaccount1/other-container/a.jpg", {"a": "b"}
        )


def test_tags_that_may_not_be_read_are_said_before_anything_is_changed(azurite, container, proxy):
    where = uri(container)
    store = _actions(azurite, container.container_name, proxy.server_address[1])
    assert store.stat(where) is not None
    proxy.faults.extend([None, Refuse(403, {"x-ms-error-code": "AuthorizationPermissionMismatch"})])
    with pytest.raises(ActRefused, match="blobs/tags/read") as raised:
        store.stat(where, with_properties=True)
    assert where in str(raised.value)


def test_many_threads_that_ask_whether_deleted_blobs_are_kept_try_it_once(azurite, container):
    with history_proxy(azurite, has_versions=False) as proxy, ThreadPoolExecutor(8) as pool:
        store = _actions(azurite, container.container_name, proxy.server_address[1])
        assert all(pool.map(store.keeps_deleted, [uri(container)] * 8))
        tried = [path for method, path in proxy.seen if method == "PUT" and "probe" in path]
        assert len(tried) == 1


def test_the_store_of_a_blob_is_its_account():
    assert store_key("/photos/a.jpg") == ""
    assert store_key("az://account/photos/a.jpg") == "account"


def test_requests_stay_below_the_rate(azurite, container, proxy):
    through = azurite.replace(str(_port(azurite)), str(proxy.server_address[1]))
    connected = connect(
        f"az://{container.container_name}", account_url="", connection_string=through
    )
    store = AzureActions(connected.service, ACCOUNT, requests_per_second=20, pauses=QUICK)
    for _ in range(15):
        state_of(store, uri(container))
    times = [seen.at for seen in proxy.seen]
    assert len(times) == 30
    assert max(sum(at <= other < at + 1 for other in times) for at in times) <= 20
