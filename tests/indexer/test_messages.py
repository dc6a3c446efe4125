"""Messages between the pass and a decoding process."""

from __future__ import annotations

import threading

import pytest

from indexer.messages import Messages


def test_parts_arrive_as_they_were_sent_however_large():
    ours, theirs = Messages.pair()
    parts = [b"", b"a", bytes(range(256)) * 20_000, b""]
    sender = threading.Thread(target=theirs.send, args=parts)
    sender.start()
    assert [bytes(part) for part in ours.receive()] == parts
    sender.join()
    theirs.send()
    assert ours.receive() == []


def test_whether_one_is_waiting():
    ours, theirs = Messages.pair()
    assert not ours.is_waiting(0.0)
    theirs.send(b"here")
    assert ours.is_waiting(5.0)


@pytest.mark.parametrize("sent", [0, 2, 6, 12, 20])
def test_an_end_in_the_middle_of_a_message_is_an_error(sent):
    ours, theirs = Messages.pair()
    theirs._socket.sendall((b"\0\0\0\1" + (1000).to_bytes(8, "big") + b"the beginning")[:sent])
    theirs.close()
    assert ours.is_waiting(5.0)
    with pytest.raises(EOFError):
        ours.receive()


def test_nobody_at_the_other_end_is_an_error():
    ours, theirs = Messages.pair()
    theirs.close()
    with pytest.raises(OSError, match="pipe"):
        ours.send(b"x" * 10_000_000)
