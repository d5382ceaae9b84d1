-- The tables of the ledger that the journal does not hold. They outlive a rebuild and are lost with the ledger.
-- Who is logged in just now.
CREATE TABLE IF NOT EXISTS web_sessions (
    token_sha256 TEXT PRIMARY KEY, user TEXT NOT NULL, created INTEGER NOT NULL, last_seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS login_failures (account TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS login_failures_account ON login_failures (account, at);
-- How much the data directory took on the disk, night after night; days are whole JST days since 1970.
CREATE TABLE IF NOT EXISTS disk_days (day INTEGER PRIMARY KEY, used INTEGER NOT NULL);
