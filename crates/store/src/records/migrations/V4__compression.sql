-- How clients should pack the layers that they push, where nobody tells them otherwise.
ALTER TABLE projects ADD COLUMN compression TEXT NOT NULL DEFAULT 'gzip' CHECK (compression IN ('gzip', 'zstd'));
