-- Digests are stored as one algorithm byte (1 = sha256, 2 = sha512) and the raw digest;
-- times are microseconds since the Unix epoch; ids of users and projects are random, so that
-- a name that is deleted and made again never meets what belonged to the old one.

-- Who is asking ---------------------------------------------------------------

CREATE TABLE users (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  password_hash TEXT,
  admin         INTEGER NOT NULL DEFAULT 0,
  created       INTEGER NOT NULL,
  epoch         INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE refresh_tokens (
  hash    BLOB    NOT NULL PRIMARY KEY,
  id      TEXT    NOT NULL UNIQUE,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client  TEXT    NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT;
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id, id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires);

CREATE TABLE secrets (
  name    TEXT    NOT NULL PRIMARY KEY,
  value   BLOB    NOT NULL,
  created INTEGER NOT NULL
) STRICT;

-- Projects and repositories -----------------------------------------------------

CREATE TABLE projects (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  visibility    TEXT    NOT NULL CHECK (visibility IN ('public', 'internal', 'private')),
  untagged_days INTEGER,
  created       INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role       TEXT    NOT NULL CHECK (role IN ('reader', 'pusher', 'owner')),
  created    INTEGER NOT NULL,
  PRIMARY KEY (project_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, project_id);

-- `manifests` counts the repository's manifests: the catalogue lists only those that hold one.
CREATE TABLE repositories (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id),
  name       TEXT    NOT NULL UNIQUE,
  manifests  INTEGER NOT NULL DEFAULT 0,
  created    INTEGER NOT NULL,
  updated    INTEGER NOT NULL
) STRICT;
CREATE INDEX repositories_by_project ON repositories (project_id, name);
CREATE INDEX repositories_filled ON repositories (name) WHERE manifests > 0;

-- Content -------------------------------------------------------------------------

-- `condemned` is set by the collector's first step and cleared by whatever proves use.
CREATE TABLE blobs (
  digest    BLOB    NOT NULL PRIMARY KEY,
  size      INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  condemned INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_condemned ON blobs (condemned) WHERE condemned IS NOT NULL;

-- Files whose record is gone and whose removal from the disk is still owed.
CREATE TABLE trash (
  digest  BLOB    NOT NULL PRIMARY KEY,
  size    INTEGER NOT NULL,
  removed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A blob is visible only through its repository's link.
CREATE TABLE links (
  repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  digest        BLOB    NOT NULL REFERENCES blobs (digest),
  created       INTEGER NOT NULL,
  PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_digest ON links (digest, repository_id);

-- `untagged` is when the manifest last lost its last tag (or was pushed without one).
CREATE TABLE manifests (
  id            INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  digest        BLOB    NOT NULL,
  media_type    TEXT    NOT NULL,
  size          INTEGER NOT NULL,
  subject       BLOB,
  artifact_type TEXT,
  annotations   TEXT,
  created       INTEGER NOT NULL,
  untagged      INTEGER NOT NULL,
  bytes         BLOB    NOT NULL,
  UNIQUE (repository_id, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL;

-- What a manifest names: its config and layers (blobs) and children (manifests or blobs).
-- Written and removed in the manifest's own transaction.
CREATE TABLE manifest_references (
  repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  target        BLOB    NOT NULL,
  manifest      BLOB    NOT NULL,
  PRIMARY KEY (repository_id, target, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_references_by_manifest ON manifest_references (repository_id, manifest);

CREATE TABLE tags (
  repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
  name          TEXT    NOT NULL,
  digest        BLOB    NOT NULL,
  updated       INTEGER NOT NULL,
  PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags (repository_id, digest);

-- Uploads in progress ---------------------------------------------------------------

-- The repository need not exist yet: it appears with its first blob.
CREATE TABLE uploads (
  id         BLOB    NOT NULL PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  repository TEXT    NOT NULL,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  algorithm  TEXT    NOT NULL,
  token_id   TEXT,
  started    INTEGER NOT NULL,
  expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_expiry ON uploads (expires);
CREATE INDEX uploads_by_user ON uploads (user_id, id);
CREATE INDEX uploads_by_project ON uploads (project_id, id);
CREATE INDEX uploads_by_token ON uploads (token_id, repository) WHERE token_id IS NOT NULL;

-- A token that opened an upload works beyond its expiry, for that repository, until `until`.
CREATE TABLE extended_tokens (
  token_id   TEXT    NOT NULL,
  repository TEXT    NOT NULL,
  until      INTEGER NOT NULL,
  PRIMARY KEY (token_id, repository)
) STRICT, WITHOUT ROWID;
CREATE INDEX extended_tokens_by_expiry ON extended_tokens (until);

-- Collection ------------------------------------------------------------------------

-- "This blob exists" was answered in this time bucket: the collector leaves the digest alone.
CREATE TABLE leases (
  digest BLOB    NOT NULL,
  bucket INTEGER NOT NULL,
  PRIMARY KEY (digest, bucket)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_bucket ON leases (bucket);
