-- Writes of the application, in the order in which they were submitted.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    place      INTEGER NOT NULL,          -- its turn among those of its patient
    op         TEXT NOT NULL,             -- create, update, retract
    type       TEXT NOT NULL,
    patient    TEXT NOT NULL,
    resource   TEXT NOT NULL,             -- JSON, as it is to be sent
    base       TEXT,                      -- update: JSON that the change is based on
    target     INTEGER REFERENCES outbox (id),
    mark       TEXT NOT NULL UNIQUE,      -- equal for equal submissions
    content    TEXT NOT NULL,             -- SHA-256 of what was submitted
    key_system TEXT NOT NULL,             -- the identifier by which the EHR's copy is found
    key_value  TEXT NOT NULL,
    server_id  TEXT,
    version    TEXT,
    state      TEXT NOT NULL,             -- queued, sending, uncertain, confirmed, dead
    status     INTEGER,                   -- of the last answer that the write got
    attempts   INTEGER NOT NULL DEFAULT 0,
    failures   INTEGER NOT NULL DEFAULT 0,
    next_at    TEXT,
    error      TEXT,                      -- the EHR's own words
    note       TEXT,                      -- what is odd about a write that is confirmed
    submitted  TEXT NOT NULL,
    changed    TEXT NOT NULL
);
CREATE INDEX outbox_by_state ON outbox (state, place);
CREATE INDEX outbox_by_server_id ON outbox (server_id);
CREATE INDEX outbox_by_place ON outbox (place);
CREATE INDEX outbox_by_target ON outbox (target);
