-- One file per tenant. Times are UTC, ISO 8601 with microseconds, so that they sort as text.

CREATE TABLE runs (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    fence     INTEGER NOT NULL,
    started   TEXT NOT NULL,
    ended     TEXT,
    status    TEXT NOT NULL,
    requests  INTEGER NOT NULL DEFAULT 0,
    refusals  INTEGER NOT NULL DEFAULT 0,
    waited    REAL NOT NULL DEFAULT 0,
    permitted REAL,
    reason    TEXT,
    come_back TEXT
);

CREATE TABLE resources (
    type         TEXT NOT NULL,
    id           TEXT NOT NULL,
    patient      TEXT NOT NULL,
    version      TEXT,
    hash         BLOB NOT NULL,           -- SHA-256 of body
    last_updated TEXT,
    body         BLOB NOT NULL,           -- exactly the bytes that the server sent
    deleted      INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    first_seen   TEXT NOT NULL,
    last_seen    TEXT NOT NULL,
    run          INTEGER NOT NULL REFERENCES runs (id),
    seen_in      INTEGER NOT NULL REFERENCES runs (id),
    PRIMARY KEY (type, id)
);
CREATE INDEX resources_by_patient ON resources (patient, type);

-- Versions that were current once, or arrived when a newer one was already here.
CREATE TABLE versions (
    type         TEXT NOT NULL,
    id           TEXT NOT NULL,
    version      TEXT,
    hash         BLOB NOT NULL,
    last_updated TEXT,
    body         BLOB NOT NULL,
    seen         TEXT NOT NULL,
    run          INTEGER NOT NULL REFERENCES runs (id),
    PRIMARY KEY (type, id, hash)
);

CREATE TABLE watermarks (
    patient   TEXT NOT NULL,
    type      TEXT NOT NULL,
    part      TEXT NOT NULL,
    mark      TEXT NOT NULL,
    confirmed TEXT NOT NULL,
    PRIMARY KEY (patient, type, part)
) WITHOUT ROWID;

CREATE TABLE cursors (
    patient    TEXT NOT NULL,
    type       TEXT NOT NULL,
    part       TEXT NOT NULL,
    url        TEXT NOT NULL,
    asked_from TEXT,
    started    TEXT NOT NULL,
    newest     TEXT,
    pages      INTEGER NOT NULL,
    run        INTEGER NOT NULL REFERENCES runs (id),
    PRIMARY KEY (patient, type, part)
) WITHOUT ROWID;

CREATE TABLE counts (
    run       INTEGER NOT NULL REFERENCES runs (id),
    patient   TEXT NOT NULL,
    type      TEXT NOT NULL,
    new       INTEGER NOT NULL,
    changed   INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    older     INTEGER NOT NULL,
    deleted   INTEGER NOT NULL,
    pages     INTEGER NOT NULL,
    PRIMARY KEY (run, patient, type)
) WITHOUT ROWID;

CREATE TABLE gaps (
    run     INTEGER NOT NULL REFERENCES runs (id),
    patient TEXT NOT NULL,
    type    TEXT NOT NULL,
    part    TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (run, patient, type, part)
) WITHOUT ROWID;

CREATE TABLE leases (
    tenant TEXT NOT NULL,
    job    TEXT NOT NULL,
    owner  TEXT NOT NULL,
    fence  INTEGER NOT NULL,
    until  TEXT NOT NULL,
    PRIMARY KEY (tenant, job)
) WITHOUT ROWID;

-- The rate that was learnt for a host, so that the next sync starts there.
CREATE TABLE rates (
    host TEXT NOT NULL PRIMARY KEY,
    rate REAL NOT NULL
) WITHOUT ROWID;

-- The key of the pseudonyms under which reports name patients; it never leaves the store.
CREATE TABLE pseudonyms (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL
);
INSERT INTO pseudonyms VALUES (1, randomblob(32));
