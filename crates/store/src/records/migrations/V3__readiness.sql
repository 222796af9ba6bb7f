-- What an upload is going to be, if its client said so: by this it finds the upload again, from wherever it is.
ALTER TABLE uploads ADD COLUMN expected      BLOB;
ALTER TABLE uploads ADD COLUMN expected_size INTEGER;
CREATE INDEX uploads_by_expected ON uploads (user_id, expected, id) WHERE expected IS NOT NULL;
CREATE INDEX uploads_by_part ON uploads (repository, expected) WHERE expected IS NOT NULL;

-- Pushes that a client has announced and not finished: until then the image is on its way.
CREATE TABLE announcements (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  repository TEXT    NOT NULL,
  digest     BLOB    NOT NULL,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  tag        TEXT,
  announced  INTEGER NOT NULL,
  expires    INTEGER NOT NULL,
  UNIQUE (repository, digest)
) STRICT;
CREATE INDEX announcements_by_tag ON announcements (repository, tag, announced) WHERE tag IS NOT NULL;
CREATE INDEX announcements_by_user ON announcements (user_id);
CREATE INDEX announcements_by_project ON announcements (project_id);
CREATE INDEX announcements_by_expiry ON announcements (expires);

-- What an announced image consists of beside its own manifest.
CREATE TABLE announced_parts (
  announcement INTEGER NOT NULL REFERENCES announcements (id) ON DELETE CASCADE,
  digest       BLOB    NOT NULL,
  size         INTEGER NOT NULL,
  PRIMARY KEY (announcement, digest)
) STRICT, WITHOUT ROWID;

-- The bytes of everything that a manifest names, its children's parts included, each blob counted once: what a
-- listing shows as the size of an image.
ALTER TABLE manifests ADD COLUMN content INTEGER NOT NULL DEFAULT 0;
UPDATE manifests SET content = (
  WITH RECURSIVE parts (target) AS (
    SELECT f.target FROM manifest_references f
     WHERE f.repository_id = manifests.repository_id AND f.manifest = manifests.digest
    UNION
    SELECT f.target FROM parts p JOIN manifest_references f
        ON f.repository_id = manifests.repository_id AND f.manifest = p.target
  )
  SELECT coalesce(sum(b.size), 0) FROM parts p JOIN blobs b ON b.digest = p.target
);
