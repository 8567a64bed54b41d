-- Up to which lastUpdated the pages of an open search held everything; null where nobody knows.
ALTER TABLE cursors ADD COLUMN reached TEXT;
