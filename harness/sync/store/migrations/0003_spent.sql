-- What was spent of a host's budget of the day, so that the next run goes on counting.
CREATE TABLE spent (
    host  TEXT NOT NULL PRIMARY KEY,
    begun TEXT NOT NULL,                  -- when that day began, UTC
    spent REAL NOT NULL
) WITHOUT ROWID;
