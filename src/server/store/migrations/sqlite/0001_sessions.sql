-- Sessions and their ordered log. Migrations run forward only.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL -- ms since 1970
) STRICT;

-- Gapless in seq within a session; never thinned, so that forks anywhere stay possible.
CREATE TABLE commits (
    session      TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    author       INTEGER NOT NULL, -- 0 is the sequencer
    cseq         INTEGER NOT NULL,
    committed_at INTEGER NOT NULL, -- ms since 1970
    bytes        BLOB NOT NULL,    -- the commit in postcard
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

-- A client's frame lands once, whatever else goes wrong.
CREATE UNIQUE INDEX commits_once ON commits (session, author, cseq) WHERE author > 0;

CREATE TABLE snapshots (
    session    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    checksum   INTEGER NOT NULL, -- XXH3-64 of bytes
    bytes      BLOB NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client  INTEGER NOT NULL, -- numbered from 1
    key     BLOB NOT NULL,    -- the profile's 128 random bits
    invite  BLOB NOT NULL,    -- the invite it came in by (hash)
    name    TEXT NOT NULL,
    record  BLOB,             -- its last cseq and results, as the sequencer keeps them
    PRIMARY KEY (session, client),
    UNIQUE (session, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE invites (
    hash       BLOB PRIMARY KEY, -- SHA-256 of the secret
    session    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    role       INTEGER NOT NULL, -- 0 listener, 1 editor, 2 owner
    created_at INTEGER NOT NULL,
    expires_at INTEGER,          -- ms since 1970; NULL: never
    uses_left  INTEGER           -- new participants it still admits; NULL: any number
) STRICT, WITHOUT ROWID;
