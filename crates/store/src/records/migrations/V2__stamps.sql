-- When a blob's bytes were last compared with its digest, and what its file looked like then: a file
-- that looks the same was not touched since. `modified` (nanoseconds since the Unix epoch) and `inode`
-- count only beside a `verified` that is not 0. Blobs from before this table knew stamps have 0: never.
ALTER TABLE blobs ADD COLUMN modified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blobs ADD COLUMN inode    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blobs ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;

-- Since when the stored copy is known to be damaged, and how.
ALTER TABLE blobs ADD COLUMN damaged  INTEGER;
ALTER TABLE blobs ADD COLUMN damage   TEXT CHECK (damage IN ('missing', 'corrupt', 'unreadable'));

-- What to verify next: never verified ones first, the oldest before the younger.
CREATE INDEX blobs_by_verification ON blobs (verified, created, digest) WHERE damaged IS NULL;
CREATE INDEX blobs_damaged ON blobs (digest) WHERE damaged IS NOT NULL;

-- Background work that only one process may do at a time.
CREATE TABLE job_leases (
  job    TEXT    NOT NULL PRIMARY KEY,
  holder INTEGER NOT NULL,
  until  INTEGER NOT NULL
) STRICT;
