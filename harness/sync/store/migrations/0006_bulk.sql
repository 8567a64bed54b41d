-- Exports: one that is under way, and those that the EHR has still to be told to forget.
CREATE TABLE bulk_jobs (
    id               INTEGER PRIMARY KEY,
    run              INTEGER NOT NULL REFERENCES runs (id),   -- the one that began it
    phase            TEXT NOT NULL,       -- asked, running, loading, closing
    since            TEXT,                -- what it was asked for; null for everything
    started          TEXT NOT NULL,       -- when it was asked for: a server time that is not too late
    asked            TEXT NOT NULL,       -- the same by our clock
    poll_url         TEXT,
    next_poll        TEXT,
    polls            INTEGER NOT NULL DEFAULT 0,
    ready            TEXT,                -- when the EHR said that it is complete
    transaction_time TEXT,                -- up to when it reaches, as the EHR says
    token            INTEGER NOT NULL DEFAULT 1,
    newest           TEXT,                -- newest believable lastUpdated of what was loaded
    patients         TEXT NOT NULL,       -- JSON: those whose watermarks it moves
    types            TEXT NOT NULL        -- JSON
);

-- Their files, and how far each is loaded.
CREATE TABLE bulk_files (
    job      INTEGER NOT NULL REFERENCES bulk_jobs (id),
    number   INTEGER NOT NULL,
    kind     TEXT NOT NULL,               -- output, deleted, error
    type     TEXT NOT NULL,
    url      TEXT NOT NULL,
    count    INTEGER,                     -- lines that the manifest speaks of
    fetched  INTEGER NOT NULL DEFAULT 0,
    loaded   INTEGER NOT NULL DEFAULT 0,  -- bytes, up to the end of a line
    lines    INTEGER NOT NULL DEFAULT 0,  -- up to there, blank ones included
    found    INTEGER NOT NULL DEFAULT 0,  -- up to there, blank ones left out
    again    INTEGER NOT NULL DEFAULT 0,  -- how often it was fetched once more
    left_in  INTEGER NOT NULL DEFAULT 0,  -- how many runs could not fetch it
    done     INTEGER NOT NULL DEFAULT 0,
    problem  TEXT,                        -- what could not be had of it
    PRIMARY KEY (job, number)
);
