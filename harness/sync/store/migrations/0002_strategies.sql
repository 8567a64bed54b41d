-- When a query was last read whole: without a lower bound, to its last page.
ALTER TABLE watermarks ADD COLUMN "full" TEXT;

-- When a resource was found to be gone from the EHR, and by what; `deleted` is 1 then.
ALTER TABLE resources ADD COLUMN gone TEXT;
ALTER TABLE resources ADD COLUMN gone_because TEXT;

-- What the EHR was seen to do, so that it need not be found out at every run.
CREATE TABLE learnt (
    type  TEXT NOT NULL,
    what  TEXT NOT NULL,                  -- last_updated, needs
    value TEXT NOT NULL,
    at    TEXT NOT NULL,
    PRIMARY KEY (type, what)
) WITHOUT ROWID;
