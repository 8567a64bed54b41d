-- What validating a run's resources found, as JSON without PHI; null where nothing was validated.
ALTER TABLE runs ADD COLUMN validation TEXT;
