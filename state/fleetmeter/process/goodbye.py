"""Saying goodbye for a process of this host that has ended without doing so."""

from typing import Any

from fleetmeter.connection.client import connect, translated
from fleetmeter.reader.identities import Identities
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter.schema.rows import Epoch, Row, rows_of
from fleetmeter.settings import Settings
from fleetmeter.writer.messages import Apply
from fleetmeter.writer.store import Store


def say_goodbye_for(pid: str, settings: Settings, store: Store) -> None:
    """Mark every row of this host's process `pid` as ended. Raises `StoreError` or `StateError`.

    The goodbye carries the batch number that was read from the row. If the row has changed meanwhile, its process
    lives, and the store leaves the row as it is.
    """
    client: Any = connect(settings.url, store.keys.writers, settings.credentials)
    try:
        with translated():
            found: dict[bytes, bytes] = client.hgetall(store.keys.writers)
        rows = {raw.decode(): Row.parse(raw.decode(), text.decode()) for raw, text in rows_of(found).items()}
        living = [writer for writer, row in rows.items() if not row.said_goodbye]
        identities = Identities(client, store.keys).of(living)
    finally:
        client.close()
    epoch = found.get(EPOCH_FIELD.encode(), b"").decode()
    for writer in living:
        if (identities[writer].replica, identities[writer].pid) == (settings.replica, pid):
            row = rows[writer]
            place = (row.applied, row.applied, row.given_up)
            store.apply(
                Apply(Epoch.parse(epoch).id, writer, *place, goodbye=True, prev_token=row.token, token=row.token)
            )
