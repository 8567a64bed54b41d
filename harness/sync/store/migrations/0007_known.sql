-- What was learnt of a host beside its rate, as JSON: bursts, minutes, concurrency, closing times.
ALTER TABLE rates ADD COLUMN known TEXT;
