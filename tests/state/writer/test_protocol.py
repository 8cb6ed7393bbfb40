"""The protocol as a state machine: every answer in every state."""

import random
import re
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from fleetmeter.schema.rows import random_id
from fleetmeter.values.delta import NOTHING, Delta, Removal
from fleetmeter.writer.messages import Answer, Apply, Hello, Outcome
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.replay import ReplayLog
from fleetmeter.writer.tokens import Tokens

BODY = Delta(adds={"f": {"[]": 1}})
OTHER = Delta(adds={"f": {"[]": 2}})


def answer(status: str, row: int = 0, epoch: str = "E", **more: Any) -> Answer:
    """An answer of the store."""
    return Answer(status, row, epoch, 1, **more)


def greeted(row: int = 0, epoch: str = "E", log: ReplayLog | None = None) -> Writer:
    """A writer that the store knows."""
    ids = (f"id{number}" for number in count())
    writer = Writer(lambda: next(ids), log=log)
    writer.receive(writer.greet(), answer("hello", row, epoch))
    return writer


def forgetful() -> Writer:
    """A writer that keeps nothing for sending again."""
    return greeted(log=ReplayLog(keep_bytes=0))


def worth(call: Apply) -> float:
    """What a call adds to the one counter there is."""
    return sum(call.delta.adds.get("f", {}).values())


def sent(writer: Writer, body: Delta = BODY) -> Apply:
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
    assert (call.epoch, call.writer, call.prev, call.seq, call.delta) == ("E", "id0", 2, 3, BODY)


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
    writer.unanswered(call)
    assert writer.in_flight
    assert writer.next_apply() == call


def test_already_after_a_lost_reply_is_an_acknowledgement() -> None:
    """The batch was applied the first time; nothing is lost and nothing is sent again."""
    writer = greeted()
    call = sent(writer)
    writer.unanswered(call)
    assert writer.receive(writer.next_apply(), answer("already", call.seq)) == Outcome()
    assert (writer.row, writer.in_flight) == (1, False)


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
    assert (again.writer, again.prev, again.seq, again.delta) == (writer.id, 0, 1, BODY)
    assert writer.receive(again, answer("applied", 1)) == Outcome()


@pytest.mark.parametrize("tried_before", [False, True])
def test_a_row_above_everything_sent_means_another_process_has_the_id(tried_before: bool) -> None:
    """A row that this writer cannot have written is somebody else's, on the first try and on a later one."""
    writer = greeted()
    call = sent(writer)
    if tried_before:
        writer.unanswered(call)
    assert writer.receive(call, answer("already", call.seq + 1)).trouble == "foreign"
    assert writer.in_flight


def test_a_heartbeat_that_finds_a_higher_row_means_another_process_has_the_id() -> None:
    """An idle writer notices too; it has nothing to send again."""
    writer = greeted()
    advance(writer, 3)
    assert writer.receive(writer.next_apply(), answer("already", 4)).trouble == "foreign"
    assert (writer.seq, writer.row, writer.in_flight) == (0, 0, False)


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
    assert (beat.prev, beat.seq, beat.delta) == (2, 2, NOTHING)
    assert writer.receive(beat, answer("applied", 2)) == Outcome()
    assert (writer.row, writer.seq) == (2, 2)


def test_a_heartbeat_does_not_make_the_next_batch_an_old_one() -> None:
    """Whether a batch was sent before is known for each batch by itself."""
    writer = greeted()
    writer.receive(writer.next_apply(), answer("applied"))
    call = sent(writer)
    assert writer.receive(call, answer("already", call.seq)).trouble == "foreign"


def test_what_a_store_lost_is_sent_again_in_one_call() -> None:
    """A row behind the acknowledged number: one call brings what is between, and the batch in flight."""
    writer = greeted()
    advance(writer, 5)
    call = sent(writer, OTHER)
    assert writer.receive(call, answer("behind", 2)) == Outcome("behind", send_all_again=True)
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up, worth(again)) == (2, 6, 0, 3 + 2)
    assert writer.receive(again, answer("applied", 6)) == Outcome()
    assert (writer.row, writer.given_up, writer.behind) == (6, 0, False)


def test_what_was_sent_again_can_be_sent_again() -> None:
    """The log keeps each batch by itself: a second roll-back to another number gets just what lies after that."""
    writer = greeted()
    advance(writer, 5)
    writer.receive(writer.next_apply(), answer("behind", 2))
    writer.receive(writer.next_apply(), answer("applied", 5))
    advance(writer, 1)
    for row, missing in ((4, 2), (0, 6), (5, 1)):
        writer.receive(writer.next_apply(), answer("behind", row))
        again = writer.next_apply()
        assert (again.prev, again.seq, worth(again)) == (row, 6, missing)
        writer.receive(again, answer("applied", 6))


def test_only_amounts_are_sent_again() -> None:
    """Definitions, gauges, exemplars and removals are said once, by the batch that carries them."""
    writer = greeted()
    once = Delta(
        BODY.adds,
        definitions={"f": "{}"},
        removals=(Removal("f", "[]", has_parts=False),),
        unset=("u",),
        gauges={"g": "1"},
        exemplars={"e": "1"},
    )
    writer.receive(sent(writer, once), answer("applied", 1))
    writer.receive(writer.next_apply(), answer("behind", 0))
    assert writer.next_apply().delta == BODY
    call = sent(writer, once)
    assert (worth(call), call.delta.definitions, call.delta.removals) == (2, once.definitions, once.removals)


def test_what_is_no_longer_kept_is_counted_once_the_store_goes_on_without_it() -> None:
    """A gap never blocks: what is kept goes in on top of the store's row, and the rest is named and counted."""
    writer = forgetful()
    advance(writer, 5)
    call = sent(writer)
    assert writer.receive(call, answer("behind", 2)) == Outcome("behind", send_all_again=True)
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up, again.delta) == (2, 6, 3, BODY)
    assert writer.receive(again, answer("applied", 6)) == Outcome(lost=3)
    assert (writer.row, writer.given_up) == (6, 3)


def test_a_heartbeat_finds_a_loss_too() -> None:
    """An idle writer does not wait for its next record to notice, nor to send again."""
    writer = greeted()
    advance(writer, 5)
    assert writer.receive(writer.next_apply(), answer("behind", 4)) == Outcome("behind", send_all_again=True)
    assert writer.behind
    again = writer.next_apply()
    assert (again.prev, again.seq, worth(again)) == (4, 5, 1)
    writer.receive(again, answer("applied", 5))
    advance(writer, 1)
    assert (writer.seq, writer.row, writer.given_up) == (6, 6, 0)


def test_gaps_add_up() -> None:
    """Each loss is counted once, over as many roll-backs as there are."""
    writer = forgetful()
    advance(writer, 5)
    writer.receive(writer.next_apply(), answer("behind", 4))
    assert writer.receive(writer.next_apply(), answer("applied", 5)).lost == 1
    writer.receive(writer.next_apply(), answer("behind", 1))
    again = writer.next_apply()
    assert again.given_up == 4
    assert writer.receive(again, answer("applied", 5)).lost == 3


def test_a_gap_that_the_store_went_back_behind_is_part_of_the_larger_one() -> None:
    """The store's row says what it lacks of the numbers up to it, however often it goes back and forth."""
    writer = forgetful()
    advance(writer, 5)
    writer.receive(writer.next_apply(), answer("behind", 3))
    assert writer.receive(writer.next_apply(), answer("applied", 5)).lost == 2
    advance(writer, 5)
    writer.receive(writer.next_apply(), answer("behind", 7, given_up=2))
    assert writer.next_apply().given_up == 2 + 3
    writer.receive(writer.next_apply(), answer("behind", 4))
    again = writer.next_apply()
    assert again.given_up == 6
    assert writer.receive(again, answer("applied", 10)).lost == 5


def test_a_row_that_moved_up_to_what_was_sent_is_this_writers() -> None:
    """Rolled back to 2 and then found at 4: late copies of its own batches came in, so it goes on from there."""
    writer = greeted()
    advance(writer, 5)
    call = sent(writer)
    writer.receive(call, answer("behind", 2))
    before = writer.id
    assert writer.receive(writer.next_apply(), answer("behind", 4)) == Outcome("behind", send_all_again=True)
    again = writer.next_apply()
    assert (again.writer, again.prev, again.seq, worth(again)) == (before, 4, 6, 2)


def test_a_row_below_that_no_call_of_this_writer_made_is_foreign() -> None:
    """A number that was never sent cannot be this writer's, below the batch that is asked about or above it."""
    writer = greeted()
    writer.submit(BODY)
    assert writer.receive(writer.next_apply(), answer("behind", 1)).trouble == "foreign"


def test_a_new_epoch_that_knows_the_id_with_a_higher_row_is_another_processs() -> None:
    """A namesake was there first."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.receive(call, answer("epoch"))
    assert writer.receive(writer.greet(), answer("hello", 9, "F")).trouble == "foreign"
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    again = writer.next_apply()
    assert (again.epoch, again.prev, again.seq, again.delta) == ("F", 0, 1, BODY)


def test_unknown_in_its_own_epoch_means_rolled_back_to_before_the_hello() -> None:
    """The writer greets again, and sends everything that it still has, from the beginning."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    assert writer.receive(call, answer("unknown")) == Outcome("unknown", send_all_again=True)
    assert writer.must_greet
    assert writer.receive(writer.greet(), answer("hello")) == Outcome("behind", send_all_again=True)
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up, worth(again)) == (0, 3, 0, 3)


@pytest.mark.parametrize("sent_before", [False, True])
def test_a_writer_whose_row_was_dropped_on_purpose_sends_nothing_again(sent_before: bool) -> None:
    """After a sleep of months, or as the copy of a process that said goodbye: its counts are in, so it is another one.

    The batch in flight may be in as well if it was sent before: it is given up, and counted.
    """
    writer = greeted()
    advance(writer, 2)
    old = writer.id
    call = sent(writer)
    if sent_before:
        writer.unanswered(call)
    writer.receive(call, answer("unknown"))
    outcome = writer.receive(writer.greet(), answer("dropped"))
    assert outcome == Outcome("unknown", int(sent_before), send_all_again=True)
    assert (writer.id != old, writer.must_greet) == (True, True)
    writer.receive(writer.greet(), answer("hello"))
    assert worth(writer.next_apply()) == (0 if sent_before else 1)


@pytest.mark.parametrize("sent_before", [False, True])
def test_a_row_may_be_dropped_while_hello_goes_unanswered(sent_before: bool) -> None:
    """The store was in another life for a moment, no answer to hello arrived, and then the writer slept for months."""
    writer = greeted()
    advance(writer, 2)
    old = writer.id
    call = sent(writer) if sent_before else writer.next_apply()
    writer.receive(call, answer("epoch", epoch="F"))
    hello = writer.greet()
    assert (hello.heard_us, hello.lives) == (1, ("E",))
    writer.unanswered(hello)
    outcome = writer.receive(writer.greet(), answer("dropped"))
    assert outcome == Outcome("unknown", int(sent_before), send_all_again=True)
    assert (writer.id != old, writer.must_greet, writer.behind) == (True, True, False)
    assert (writer.greet().heard_us, writer.receive(writer.greet(), answer("hello")).lost) == (0, 0)


@pytest.mark.parametrize(("status", "row"), [("already", 3), ("behind", 1)])
def test_only_an_answer_that_renewed_the_row_proves_it(status: str, row: int) -> None:
    """What is in already, or behind, keeps the time that it had in the store: it may be dropped a moment later."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.unanswered(call)
    writer.receive(call, replace(answer(status, row), store_now_us=99))
    assert writer.greet().heard_us == 1
    writer.receive(writer.next_apply(), replace(answer("applied", 3), store_now_us=100))
    assert writer.greet().heard_us == 100


def test_a_row_dropped_in_a_life_that_came_back_counts_what_that_life_lacks() -> None:
    """What was acknowledged there is in it; what was acknowledged elsewhere since, and what may be in, is lost."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.unanswered(call)
    writer.receive(call, answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    writer.receive(writer.next_apply(), answer("applied", 3, "F"))
    sent(writer)
    writer.receive(writer.next_apply(), answer("epoch"))
    assert writer.greet().lives == ("E", "F")
    outcome = writer.receive(writer.greet(), answer("dropped"))
    assert (outcome.lost, writer.in_flight, writer.epoch) == (2, False, "E")


def test_what_the_store_lost_before_it_dropped_the_row_is_counted() -> None:
    """It was about to be sent again, and goes with the id."""
    writer = greeted()
    advance(writer, 4)
    writer.receive(writer.next_apply(), answer("behind", 1))
    call = sent(writer)
    writer.receive(call, answer("unknown"))
    assert writer.receive(writer.greet(), answer("dropped")).lost == 3
    assert (writer.in_flight, writer.seq) == (True, 1)


def test_hello_says_when_the_row_was_seen_last() -> None:
    """Rows are dropped on purpose long after their last sign of life: one that was seen later than those is not."""
    writer = greeted()
    advance(writer, 1)
    writer.receive(writer.next_apply(), Answer("applied", 1, "E", 50))
    writer.receive(writer.next_apply(), Answer("unknown", 0, "E", 60))
    assert (writer.greet().heard_us, writer.greet().lives) == (50, ("E",))
    writer.receive(writer.greet(), answer("hello"))
    assert worth(writer.next_apply()) == 1


def test_a_folded_writer_comes_back_with_its_number() -> None:
    """Hello answers with the number from before the folding, and nothing is counted as lost."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.receive(call, answer("unknown"))
    assert writer.receive(writer.greet(), answer("hello", 2)) == Outcome(send_all_again=True)
    assert (writer.next_apply().prev, writer.given_up) == (2, 0)


def test_a_new_epoch_counts_what_was_acknowledged_as_lost_and_keeps_what_was_not() -> None:
    """The store came back empty: what it held is lost, and says so; the batch in flight counts in the new life."""
    writer = greeted()
    advance(writer, 4)
    call = sent(writer)
    assert writer.receive(call, answer("epoch", epoch="")) == Outcome("epoch", send_all_again=True)
    assert writer.receive(writer.greet(), answer("hello", 0, "F")) == Outcome(send_all_again=True)
    again = writer.next_apply()
    assert (again.epoch, again.prev, again.seq, again.given_up, again.delta) == ("F", 0, 5, 4, BODY)
    assert writer.receive(again, answer("applied", 5)) == Outcome(lost=4)


def test_an_epoch_that_an_operator_began_loses_nothing() -> None:
    """After a reset what was acknowledged is forgotten on purpose; what was not counts in the new life."""
    writer = greeted()
    advance(writer, 4)
    call = sent(writer)
    writer.receive(call, answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F", deliberate=True))
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up, again.delta) == (0, 5, 0, BODY)
    assert writer.receive(again, answer("applied", 5)) == Outcome()


def test_a_reset_does_not_excuse_what_is_lost_later() -> None:
    """Batches of the new life are counted when that is lost in its turn, and those from before the reset are not."""
    writer = forgetful()
    advance(writer, 4)
    writer.receive(writer.next_apply(), answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F", deliberate=True))
    writer.receive(writer.next_apply(), answer("applied", 4, "F"))
    advance(writer, 3)
    writer.receive(writer.next_apply(), answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "G"))
    again = writer.next_apply()
    assert (again.prev, again.seq, again.given_up) == (0, 7, 3)
    assert writer.receive(again, answer("applied", 7)).lost == 3


def test_an_epoch_that_comes_back_goes_on_from_its_row() -> None:
    """Two masters that take turns: the batch of unknown outcome is asked about again, and counts once in each life."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer)
    writer.unanswered(call)
    writer.receive(call, answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    writer.receive(writer.next_apply(), answer("epoch"))
    assert writer.receive(writer.greet(), answer("hello", 3)) == Outcome(send_all_again=True)
    assert (writer.row, writer.in_flight, writer.behind) == (3, False, False)


def test_an_idle_writer_goes_on_in_a_new_epoch() -> None:
    """Without a batch in flight the next call only says how far it is, and what is lost."""
    writer = greeted()
    advance(writer, 4)
    writer.receive(writer.next_apply(), answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    call = writer.next_apply()
    assert (call.epoch, call.prev, call.seq, call.delta, call.given_up) == ("F", 0, 4, NOTHING, 4)
    writer.receive(call, answer("applied", 4))
    advance(writer, 1)
    assert (writer.row, writer.given_up) == (5, 4)


def test_goodbye_is_the_last_word() -> None:
    """What is recorded after it goes under a new id, with nothing to be sent again under the old one."""
    writer = greeted()
    advance(writer, 2)
    call = writer.next_apply(goodbye=True)
    assert (call.prev, call.seq, call.goodbye) == (2, 2, True)
    writer.receive(call, answer("applied", 2))
    assert writer.ended
    writer.submit(BODY)
    assert (writer.id != call.writer, writer.must_greet, writer.ended) == (True, True, False)
    writer.receive(writer.greet(), answer("hello"))
    again = writer.next_apply()
    assert (again.prev, again.seq, worth(again)) == (0, 1, 1)


def test_a_goodbye_without_answer_is_taken_for_said() -> None:
    """The row may be dropped in fifteen minutes: the id is not used again."""
    writer = greeted()
    advance(writer, 1)
    writer.unanswered(writer.next_apply(goodbye=True))
    assert writer.ended


def test_a_goodbye_to_a_store_that_went_back_comes_after_what_it_lost() -> None:
    """The store is brought up to date first, under the same id."""
    writer = greeted()
    advance(writer, 2)
    writer.receive(writer.next_apply(goodbye=True), answer("behind", 1))
    assert not writer.ended
    again = writer.next_apply()
    assert (again.prev, again.seq, worth(again), again.goodbye) == (1, 2, 1, False)
    with pytest.raises(RuntimeError, match="last"):
        writer.next_apply(goodbye=True)


def test_a_lost_answer_to_hello_does_no_harm() -> None:
    """The second hello finds the first one's row."""
    writer = Writer()
    first = writer.greet()
    writer.unanswered(first)
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
    writer.unanswered(call)
    writer.receive(call, answer("unknown"))
    assert writer.receive(writer.greet(), answer("hello", call.seq)) == Outcome(send_all_again=True)
    assert (writer.in_flight, writer.row) == (False, 1)


def test_every_later_hello_is_followed_by_all_definitions() -> None:
    """After a goodbye the store may have been wiped, and nothing but the hello of the next id meets that."""
    writer = greeted()
    advance(writer, 1)
    last = writer.next_apply(goodbye=True)
    writer.receive(last, answer("applied", 1))
    writer.submit(BODY)
    assert writer.receive(writer.greet(), answer("hello", 0, "F")) == Outcome(send_all_again=True)


def test_other_losses_in_an_epoch_that_comes_back_are_counted_too() -> None:
    """Each batch that is missing at some time is counted once, whichever life of the namespace it is missing in."""
    writer = greeted()
    advance(writer, 1)
    for row, epoch in ((0, "F"), (0, "G"), (2, "F")):
        writer.receive(writer.next_apply(), answer("epoch"))
        writer.receive(writer.greet(), answer("hello", row, epoch))
        call = sent(writer)
        assert writer.receive(call, answer("applied", call.seq)).lost == 1
    assert writer.given_up == 1


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


def test_each_batch_has_a_token_that_no_copy_of_the_process_draws_again() -> None:
    """A copy goes on with the same memory, `random`'s state included: its next batch still has another token."""
    writer = greeted()
    advance(writer, 1)
    tokens = set()
    for copy in (deepcopy(writer), writer):
        random.seed(1)
        call = sent(copy)
        assert (call.prev, call.seq, call.prev_token) == (1, 2, writer.next_apply().prev_token)
        tokens.add(call.token)
    assert len(tokens) == 2
    assert all(re.fullmatch("t[0-9a-f]{8}", token) for token in tokens)


def test_a_heartbeat_and_a_goodbye_have_the_token_of_the_last_batch() -> None:
    """The row stays the same but for its time; at number 0 there is none."""
    writer = greeted()
    first = writer.next_apply()
    assert (first.prev_token, first.token) == ("", "")
    call = sent(writer)
    writer.receive(call, answer("applied", 1, token=call.token))
    for beat in (writer.next_apply(), writer.next_apply(goodbye=True)):
        assert (beat.prev_token, beat.token) == (call.token, call.token)


def test_a_batch_sent_again_keeps_its_token_and_one_under_a_new_id_has_a_new_one() -> None:
    """Any copy of a call leaves the same row; what one id's row says never fits another's."""
    writer = greeted()
    call = sent(writer)
    writer.unanswered(call)
    assert writer.next_apply() == call
    writer.receive(call, answer("behind", 1, token="foreign"))
    writer.receive(writer.greet(), answer("hello"))
    assert writer.next_apply().token not in ("", call.token)


def test_what_is_sent_again_in_one_call_has_the_token_of_its_newest_batch() -> None:
    """A row is one of this writer's if number and token are those of a batch that it has sent, anywhere in its past."""
    writer = greeted()
    tokens = []
    for _ in range(5):
        call = sent(writer)
        writer.receive(call, answer("applied", call.seq, token=call.token))
        tokens.append(call.token)
    assert writer.receive(writer.next_apply(), answer("behind", 2, token=tokens[1])).trouble == "behind"
    again = writer.next_apply()
    assert (again.prev, again.prev_token, again.seq, again.token) == (2, tokens[1], 5, tokens[4])
    assert worth(again) == 3


@pytest.mark.parametrize("row", [1, 2, 3, 4, 5])
def test_a_row_with_a_number_of_this_writers_and_another_token_is_foreign(row: int) -> None:
    """The store went back, and another process went on there: from that number on nothing of this writer is in."""
    writer = greeted()
    advance(writer, 4)
    call = sent(writer, OTHER)
    outcome = writer.receive(call, answer("behind", row, token="foreign"))
    assert outcome == Outcome("foreign", send_all_again=True)
    writer.receive(writer.greet(), answer("hello"))
    again = writer.next_apply()
    assert (again.writer != call.writer, again.prev, again.seq, again.given_up) == (True, 0, 1, 0)
    assert worth(again) == (4 - (row - 1)) * 1 + 2


def test_what_was_acknowledged_below_a_foreign_row_is_taken_for_in() -> None:
    """Whether the store went back before the other process came that far, no row tells: only what is new goes out."""
    writer = greeted()
    advance(writer, 2)
    call = sent(writer, OTHER)
    assert writer.receive(call, answer("behind", 9, token="foreign")) == Outcome("foreign", send_all_again=True)
    writer.receive(writer.greet(), answer("hello"))
    assert worth(writer.next_apply()) == 2


def test_what_the_store_lacked_below_a_foreign_row_is_counted_as_lost() -> None:
    """It may be in, as the other process sent it again if the two were one then: it is not sent a second time."""
    writer = greeted()
    advance(writer, 5)
    writer.receive(writer.next_apply(), answer("behind", 1))
    outcome = writer.receive(writer.next_apply(), answer("behind", 4, token="foreign"))
    assert outcome == Outcome("foreign", lost=2, send_all_again=True)
    writer.receive(writer.greet(), answer("hello"))
    assert worth(writer.next_apply()) == 2


def test_what_is_no_longer_kept_from_a_foreign_row_on_is_counted_as_lost() -> None:
    """It cannot be in, and it cannot be sent again."""
    writer = forgetful()
    advance(writer, 5)
    call = sent(writer)
    assert writer.receive(call, answer("behind", 3, token="foreign")) == Outcome("foreign", 3, send_all_again=True)
    writer.receive(writer.greet(), answer("hello"))
    assert worth(writer.next_apply()) == 1


def test_a_row_whose_token_is_not_kept_is_taken_for_its_own() -> None:
    """Whatever this writer can still send came later than that row, so it is in no case in."""
    writer = greeted()
    writer._tokens = Tokens(keep=2)
    advance(writer, 5)
    assert writer.receive(writer.next_apply(), answer("behind", 1, token="long ago")).trouble == "behind"
    again = writer.next_apply()
    assert (again.prev, again.prev_token, worth(again)) == (1, "long ago", 4)
    assert writer.receive(writer.next_apply(), answer("behind", 4, token="foreign")).trouble == "foreign"


def test_a_new_epoch_that_knows_the_id_with_another_token_is_another_processs() -> None:
    """What this writer had acknowledged is not in that life of the namespace, and counts as lost."""
    writer = greeted()
    advance(writer, 3)
    call = sent(writer)
    writer.receive(call, answer("epoch"))
    outcome = writer.receive(writer.greet(), answer("hello", 2, "F", token="foreign"))
    assert outcome == Outcome("foreign", 3, send_all_again=True)
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    assert worth(writer.next_apply()) == 1


def test_a_hello_that_tells_of_a_batch_which_a_copy_sent_acknowledges_it() -> None:
    """Both copies had the batch in flight when they became two: it is the same, and counts once."""
    writer = greeted()
    call = sent(writer)
    assert writer.receive(call, answer("unknown")).trouble == "unknown"
    assert writer.receive(writer.greet(), answer("hello", 1, token=call.token)) == Outcome(send_all_again=True)
    assert not writer.in_flight


def test_a_loss_in_a_call_that_stayed_without_answer_is_counted_when_its_row_is_found() -> None:
    """A new life began after batch 1, its first call went unanswered, and hello then finds what that call left.

    The row knows that it lacks batch 1; the writer goes on with the row's figure, and counts it.
    """
    writer = greeted()
    advance(writer, 1)
    writer.receive(sent(writer), answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    call = writer.next_apply()
    assert (call.prev, call.seq, call.given_up) == (0, 2, 1)
    writer.unanswered(call)
    writer.receive(call, answer("epoch"))
    writer.unanswered(writer.greet())
    found = answer("hello", 2, "F", given_up=1, token=call.token)
    assert writer.receive(writer.greet(), found) == Outcome(lost=1, send_all_again=True)
    assert (writer.in_flight, writer.next_apply().given_up) == (False, 1)


def test_a_loss_that_a_life_counted_is_not_counted_again_when_it_comes_back() -> None:
    """The row's figure is taken over; only what it counts more than when the writer left it is new."""
    writer = forgetful()
    advance(writer, 3)
    writer.receive(writer.next_apply(), answer("behind", 1))
    call = writer.next_apply()
    assert writer.receive(call, answer("applied", 3)).lost == 2
    writer.receive(writer.next_apply(), answer("epoch"))
    writer.receive(writer.greet(), answer("hello", 0, "F"))
    writer.receive(writer.next_apply(), answer("epoch"))
    found = answer("hello", 3, given_up=2, token=call.token)
    assert writer.receive(writer.greet(), found) == Outcome(send_all_again=True)
    assert (writer.given_up, writer.next_apply().given_up) == (2, 2)
