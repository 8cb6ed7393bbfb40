"""The protocol as a state machine: every answer in every state."""

from itertools import count

import pytest

from fleetmeter.batch import Body
from fleetmeter.protocol import Answer, Apply, Hello, Outcome, Writer, random_id

BODY = Body(("k",), ("add", "3", "1", "[]", "1"))
OTHER = Body(("k",), ("add", "3", "1", "[]", "2"))


def answer(status: str, row: int = 0, epoch: str = "E") -> Answer:
    """An answer of the store."""
    return Answer(status, row, epoch, 1)


def greeted(row: int = 0, epoch: str = "E") -> Writer:
    """A writer that the store knows."""
    ids = (f"id{number}" for number in count())
    writer = Writer(lambda: next(ids))
    writer.receive(writer.greet(), answer("hello", row, epoch))
    return writer


def sent(writer: Writer, body: Body = BODY) -> Apply:
    """A call that carries the writer's next batch."""
    writer.submit(body)
    return writer.next_apply()


def advance(writer: Writer, batches: int) -> None:
    """Have so many batches acknowledged."""
    for _ in range(batches):
        call = sent(writer)
        assert writer.receive(call, answer("applied", call.seq)) == Outcome()


def test_ids_are_random() -> None:
    """No two process lives share an id."""
    assert len({random_id() for _ in range(1000)}) == 1000
    assert len(random_id()) == 16


def test_hello_comes_first_and_offers_an_epoch() -> None:
    """A writer greets before anything else, with an id of its own and one for a namespace that has none."""
    writer = Writer()
    hello = writer.greet()
    assert (writer.must_greet, hello.writer, hello.epoch != hello.writer) == (True, writer.id, True)
    assert writer.receive(hello, answer("hello")) == Outcome()
    assert (writer.must_greet, writer.epoch) == (False, "E")


def test_batches_are_numbered_and_follow_each_other() -> None:
    """Each batch says which one came before it."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    assert (call.epoch, call.writer, call.prev, call.seq, call.body) == ("E", "id0", 2, 3, BODY)


def test_one_batch_at_a_time_is_in_flight() -> None:
    """A second batch before the first one's outcome is a defect of the caller."""
    writer = greeted()
    sent(writer)
    with pytest.raises(RuntimeError, match="in flight"):
        writer.submit(OTHER)


def test_a_call_without_answer_is_repeated_unchanged() -> None:
    """Until its outcome is known, a batch is sent again with the same numbers and content."""
    writer = greeted()
    call = sent(writer)
    writer.unanswered()
    assert writer.in_flight
    assert writer.next_apply() == call


def test_already_after_a_lost_reply_is_an_acknowledgement() -> None:
    """The batch was applied the first time; nothing is lost and nothing is sent again."""
    writer = greeted()
    call = sent(writer)
    writer.unanswered()
    assert writer.receive(writer.next_apply(), answer("already", call.seq)) == Outcome()
    assert (writer.acknowledged, writer.in_flight) == (1, False)


def test_already_to_a_batch_never_sent_means_another_process_has_the_id() -> None:
    """The batch is not taken for applied: it goes out again under a new id."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    outcome = writer.receive(call, answer("already", call.seq))
    assert outcome == Outcome("foreign", send_all_again=True)
    assert (writer.id != call.writer, writer.must_greet, writer.in_flight) == (True, True, True)
    writer.receive(writer.greet(), answer("hello"))
    again = writer.next_apply()
    assert (again.writer, again.prev, again.seq, again.body) == (writer.id, 0, 1, BODY)
    assert writer.receive(again, answer("applied", 1)) == Outcome()


@pytest.mark.parametrize("tried_before", [False, True])
def test_a_row_above_everything_sent_means_another_process_has_the_id(tried_before: bool) -> None:
    """A row that this writer cannot have written is somebody else's, on the first try and on a later one."""
    writer = greeted()
    call = sent(writer)
    if tried_before:
        writer.unanswered()
    assert writer.receive(call, answer("already", call.seq + 1)).trouble == "foreign"
    assert writer.in_flight


def test_a_heartbeat_that_finds_a_higher_row_means_another_process_has_the_id() -> None:
    """An idle writer notices too; it has nothing to send again."""
    writer = greeted()
    advance(writer, 3)
    assert writer.receive(writer.next_apply(), answer("already", 4)).trouble == "foreign"
    assert (writer.seq, writer.acknowledged, writer.in_flight) == (0, 0, False)


def test_a_hello_that_finds_a_higher_row_means_another_process_has_the_id() -> None:
    """A namesake that wrote more than this writer keeps the id."""
    writer = Writer()
    old = writer.id
    assert writer.receive(writer.greet(), answer("hello", 7)).trouble == "foreign"
    assert (writer.id != old, writer.must_greet) == (True, True)


def test_a_heartbeat_is_a_call_without_body_at_the_acknowledged_number() -> None:
    """It changes nothing but the time, and is acknowledged like a batch."""
    writer = greeted()
    advance(writer, 2)
    beat = writer.next_apply()
    assert (beat.prev, beat.seq, beat.body) == (2, 2, Body())
    assert writer.receive(beat, answer("applied", 2)) == Outcome()
    assert (writer.acknowledged, writer.seq) == (2, 2)


def test_a_heartbeat_does_not_make_the_next_batch_an_old_one() -> None:
    """Whether a batch was sent before is known for each batch by itself."""
    writer = greeted()
    writer.receive(writer.next_apply(), answer("applied"))
    call = sent(writer)
    assert writer.receive(call, answer("already", call.seq)).trouble == "foreign"


def test_what_a_store_lost_is_counted_and_the_batch_in_flight_goes_on_from_there() -> None:
    """A row behind the acknowledged number: the gap is named and counted, the batch keeps its number and content."""
    writer = greeted()
    advance(writer, 5)
    call = sent(writer)
    assert writer.receive(call, answer("behind", 2)) == Outcome("behind", 3, send_all_again=True)
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up, again.body) == (2, 6, 3, BODY)
    assert writer.receive(again, answer("applied", 6)) == Outcome()
    assert (writer.acknowledged, writer.given_up) == (6, 3)


def test_a_heartbeat_finds_a_loss_too() -> None:
    """An idle writer does not wait for its next record to notice."""
    writer = greeted()
    advance(writer, 5)
    assert writer.receive(writer.next_apply(), answer("behind", 4)) == Outcome("behind", 1, send_all_again=True)
    assert writer.next_apply().prev == 4
    advance(writer, 1)
    assert (writer.seq, writer.acknowledged, writer.given_up) == (6, 6, 1)


def test_gaps_add_up() -> None:
    """Each loss is counted once, over as many roll-backs as there are."""
    writer = greeted()
    advance(writer, 5)
    writer.receive(writer.next_apply(), answer("behind", 4))
    call = sent(writer)
    assert writer.receive(call, answer("behind", 1)).lost == 3
    assert writer.next_apply().given_up == 4


def test_a_row_that_moved_up_to_what_was_sent_is_this_writers() -> None:
    """Rolled back to 2 and then found at 4: late copies of its own batches came in, so it goes on from there."""
    writer = greeted()
    advance(writer, 5)
    call = sent(writer)
    writer.receive(call, answer("behind", 2))
    before = writer.id
    assert writer.receive(writer.next_apply(), answer("behind", 4)) == Outcome("behind", send_all_again=True)
    again = writer.next_apply()
    assert (again.writer, again.prev, again.seq, writer.given_up) == (before, 4, 6, 3)


def test_numbers_that_a_gap_skipped_are_not_lost_twice() -> None:
    """Two roll-backs to nothing lose the batches that there were, and not the numbers between them."""
    writer = greeted()
    advance(writer, 9)
    assert writer.receive(sent(writer), answer("behind", 0)).lost == 9
    writer.receive(writer.next_apply(), answer("applied", 10))
    assert writer.receive(sent(writer), answer("behind", 0)).lost == 1
    assert writer.given_up == 10


def test_a_new_epoch_that_knows_the_id_with_a_higher_row_is_another_processs() -> None:
    """A namesake was there first."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.receive(call, answer("epoch"))
    assert writer.receive(writer.greet(), answer("hello", 9, "F")).trouble == "foreign"
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    again = writer.next_apply()
    assert (again.epoch, again.prev, again.seq, again.body) == ("F", 0, 1, BODY)


def test_unknown_in_its_own_epoch_means_rolled_back_to_before_the_hello() -> None:
    """The writer greets again, and everything acknowledged is counted as lost; the batch in flight is not."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    assert writer.receive(call, answer("unknown")) == Outcome("unknown", send_all_again=True)
    assert writer.must_greet
    assert writer.receive(writer.greet(), answer("hello")) == Outcome("behind", 2, send_all_again=True)
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up, again.body) == (0, 3, 2, BODY)


def test_a_folded_writer_comes_back_with_its_number() -> None:
    """Hello answers with the number from before the folding, and nothing is counted as lost."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.receive(call, answer("unknown"))
    assert writer.receive(writer.greet(), answer("hello", 2)) == Outcome()
    assert (writer.next_apply().prev, writer.given_up) == (2, 0)


def test_a_new_epoch_counts_what_was_acknowledged_as_lost_and_keeps_what_was_not() -> None:
    """The store came back empty: what it held is lost, and says so; the batch in flight counts in the new life."""
    writer = greeted()
    advance(writer, 4)
    call = sent(writer)
    assert writer.receive(call, answer("epoch", epoch="")) == Outcome("epoch", send_all_again=True)
    assert writer.receive(writer.greet(), answer("hello", 0, "F")) == Outcome(lost=4, send_all_again=True)
    again = writer.next_apply()
    assert (again.epoch, again.prev, again.seq, again.given_up, again.body) == ("F", 0, 5, 4, BODY)
    assert writer.receive(again, answer("applied", 5)) == Outcome()


def test_an_idle_writer_goes_on_in_a_new_epoch() -> None:
    """Without a batch in flight the next heartbeat fits the new row."""
    writer = greeted()
    advance(writer, 4)
    writer.receive(writer.next_apply(), answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    beat = writer.next_apply()
    assert (beat.epoch, beat.prev, beat.seq) == ("F", 0, 0)
    advance(writer, 1)
    assert writer.acknowledged == 5


def test_a_lost_answer_to_hello_does_no_harm() -> None:
    """The second hello finds the first one's row."""
    writer = Writer()
    first = writer.greet()
    writer.unanswered()
    assert writer.must_greet
    second = writer.greet()
    assert first.writer == second.writer
    assert writer.receive(second, answer("hello")) == Outcome()
    call = sent(writer)
    assert writer.receive(call, answer("already", call.seq)).trouble == "foreign"  # this one was never sent


def test_a_hello_that_tells_of_the_batch_in_flight_acknowledges_it() -> None:
    """Two stores that disagree for a moment cannot make a batch count twice."""
    writer = greeted()
    call = sent(writer)
    writer.unanswered()
    writer.receive(call, answer("unknown"))
    assert writer.receive(writer.greet(), answer("hello", call.seq)) == Outcome()
    assert (writer.in_flight, writer.acknowledged) == (False, 1)


def test_another_state_format_keeps_the_writer_silent() -> None:
    """It must greet again, and has learnt no epoch."""
    writer = Writer()
    assert writer.receive(writer.greet(), answer("format")) == Outcome("format")
    assert (writer.must_greet, writer.epoch) == (True, None)


@pytest.mark.parametrize("call", ["hello", "apply"])
def test_an_answer_of_no_known_status_is_an_error(call: str) -> None:
    """What is not in the protocol is not guessed at, and the batch stays in flight."""
    writer = greeted()
    apply = sent(writer)
    with pytest.raises(ValueError, match="answered"):
        writer.receive(Hello(writer.id, "x") if call == "hello" else apply, answer("surprise"))
    assert writer.in_flight
