-- Branches: lines of history that left another at a commit. Their records are part of the session's
-- own state; here lie their commits, gapless from the fork on and never thinned.
CREATE TABLE branch_commits (
    session      TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    branch       INTEGER NOT NULL, -- numbered from 1
    seq          INTEGER NOT NULL,
    author       INTEGER NOT NULL, -- 0 is the sequencer
    cseq         INTEGER NOT NULL,
    committed_at INTEGER NOT NULL, -- ms since 1970
    bytes        BLOB NOT NULL,    -- the commit, as in commits
    PRIMARY KEY (session, branch, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX branch_commits_once ON branch_commits (session, branch, author, cseq) WHERE author > 0;

-- What a branch's sequencer remembers of each client.
CREATE TABLE branch_clients (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    branch  INTEGER NOT NULL,
    client  INTEGER NOT NULL,
    record  BLOB NOT NULL,
    PRIMARY KEY (session, branch, client)
) STRICT, WITHOUT ROWID;

-- The oldest of a branch is the state it began with.
CREATE TABLE branch_snapshots (
    session    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    branch     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    checksum   INTEGER NOT NULL, -- XXH3-64 of bytes
    bytes      BLOB NOT NULL,
    PRIMARY KEY (session, branch, seq)
) STRICT, WITHOUT ROWID;

-- The state a session began with, where it was imported; NULL: the empty one.
ALTER TABLE sessions ADD COLUMN origin BLOB;
