"""Which connection is lent next, and which are closed."""

from __future__ import annotations

from harness.http.spares import Spares


class Connection:
    def __init__(self) -> None:
        self.closed = False
        self.is_through = True
        self.is_ready = True

    def close(self) -> None:
        self.closed = True


def spares_of(*connections: Connection, most: int = 16) -> Spares[str, Connection]:
    spares: Spares[str, Connection] = Spares(most)
    for connection in connections:
        spares.give("ehr.example", connection)
    return spares


def test_the_connection_that_was_used_last_goes_first() -> None:
    first, second = Connection(), Connection()
    spares = spares_of(first, second)
    assert spares.take("ehr.example") is second
    assert spares.take("ehr.example") is first
    assert spares.take("ehr.example") is None


def test_a_connection_to_another_host_is_left_open() -> None:
    ehr = Connection()
    spares = spares_of(ehr)
    assert spares.take("auth.example") is None
    assert not ehr.closed
    assert spares.take("ehr.example") is ehr


def test_of_too_many_the_one_that_waited_longest_is_closed() -> None:
    three = [Connection() for _ in range(3)]
    spares = spares_of(*three, most=2)
    assert [each.closed for each in three] == [True, False, False]
    spares.close()
    assert all(each.closed for each in three)


def test_a_connection_whose_answer_was_given_up_is_closed_at_once() -> None:
    connection = Connection()
    connection.is_through = False
    spares = spares_of(connection)
    assert connection.closed
    assert spares.take("ehr.example") is None


def test_a_connection_that_ended_while_it_waited_is_closed_and_not_lent() -> None:
    good, ended = Connection(), Connection()
    spares = spares_of(good, ended)
    ended.is_ready = False
    assert spares.take("ehr.example") is good
    assert ended.closed
