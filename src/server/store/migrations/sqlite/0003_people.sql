-- People: roles given by owners, kicks, revoked invites, tokens and short codes.
ALTER TABLE invites ADD COLUMN revoked_at INTEGER; -- ms since 1970; NULL: in force

ALTER TABLE clients ADD COLUMN role INTEGER;       -- given by an owner; NULL: what the invite says
ALTER TABLE clients ADD COLUMN role_at INTEGER;    -- when; a later invite's role counts again
ALTER TABLE clients ADD COLUMN kicked_at INTEGER;  -- no invite made before then lets it in

CREATE TABLE tokens (
    hash       BLOB PRIMARY KEY, -- SHA-256 of the token
    session    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL  -- ms since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_client ON tokens (session, client);

CREATE TABLE codes (
    hash       BLOB PRIMARY KEY, -- SHA-256 of the six letters
    session    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    role       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
