-- The ledger, version 3: what the journal says, as tables. Times are microseconds since 1970 UTC. All of it can be
-- rebuilt from the journal; what cannot is in own.sql.
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE sources (
    id TEXT PRIMARY KEY, name TEXT, module TEXT, vendor TEXT, product TEXT, host TEXT, transport TEXT, peer TEXT, origin TEXT,
    listed INTEGER NOT NULL DEFAULT 0,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, last_event INTEGER NOT NULL,
    records INTEGER NOT NULL, unparsed INTEGER NOT NULL,
    skew_sum INTEGER NOT NULL DEFAULT 0, skew_max INTEGER NOT NULL DEFAULT 0, skew_count INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- Hours are whole hours since 1970 UTC: of receipt for what was received, of the event for what was imported.
CREATE TABLE source_hours (
    source TEXT NOT NULL, hour INTEGER NOT NULL, records INTEGER NOT NULL, unparsed INTEGER NOT NULL,
    PRIMARY KEY (source, hour)
) WITHOUT ROWID;
CREATE TABLE silences (
    source TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER, PRIMARY KEY (source, started)
) WITHOUT ROWID;

CREATE TABLE accounts (
    key TEXT PRIMARY KEY, class TEXT, state TEXT, first_seen INTEGER NOT NULL, last_success INTEGER, last_failure INTEGER,
    successes INTEGER NOT NULL, failures INTEGER NOT NULL
) WITHOUT ROWID;
-- A session is known by the event that opened it.
CREATE TABLE sessions (
    record INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL, observer TEXT NOT NULL, user TEXT NOT NULL,
    class TEXT NOT NULL, source_ip TEXT, assigned_ip TEXT, started INTEGER NOT NULL, ended INTEGER, last_seen INTEGER NOT NULL,
    bytes_sent INTEGER, bytes_received INTEGER, after_hours INTEGER NOT NULL, PRIMARY KEY (record, position)
) WITHOUT ROWID;
CREATE INDEX sessions_started ON sessions (started);

-- `base` is the id without recurrence, where that differs: a finding that recurs after it was closed is a new row of the
-- same base. Its evidence names it by its number, which is a tenth of the id. `classified` is the exception that covers
-- all of it.
CREATE TABLE findings (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, base TEXT, recurrence INTEGER NOT NULL, rule_id TEXT NOT NULL,
    rule_title TEXT NOT NULL, rule_version TEXT NOT NULL, severity INTEGER NOT NULL, subject TEXT NOT NULL,
    object TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, summary TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'open', closed_at_record INTEGER, first_verdict INTEGER, found_at_record INTEGER NOT NULL,
    classified TEXT
);
CREATE INDEX findings_base ON findings (base) WHERE base IS NOT NULL;
CREATE INDEX findings_first ON findings (first);
CREATE TABLE finding_evidence (
    finding INTEGER NOT NULL, record INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (finding, record, position)
) WITHOUT ROWID;
CREATE INDEX evidence_record ON finding_evidence (record, position);
CREATE TABLE finding_sources (
    finding INTEGER NOT NULL, address TEXT NOT NULL, PRIMARY KEY (finding, address)
) WITHOUT ROWID;
CREATE TABLE reviews (
    record INTEGER PRIMARY KEY, finding TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, status TEXT NOT NULL,
    reason TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX reviews_finding ON reviews (finding);

-- Who declared what to be in order; `subject` and `object` are patterns, an empty
-- `network` is any. `record` is the granting act.
CREATE TABLE exceptions (
    id TEXT PRIMARY KEY, record INTEGER NOT NULL, rule_id TEXT NOT NULL, subject TEXT NOT NULL, object TEXT NOT NULL,
    network TEXT NOT NULL, reason TEXT NOT NULL, owner TEXT NOT NULL, "from" INTEGER NOT NULL, until INTEGER NOT NULL, at INTEGER NOT NULL,
    by TEXT NOT NULL, ended INTEGER, ended_by TEXT, ended_reason TEXT
) WITHOUT ROWID;
CREATE INDEX exceptions_rule ON exceptions (rule_id);
CREATE TABLE disasters (
    id TEXT PRIMARY KEY, record INTEGER NOT NULL, reason TEXT NOT NULL, "from" INTEGER NOT NULL, until INTEGER NOT NULL,
    at INTEGER NOT NULL, by TEXT NOT NULL, ended INTEGER, ended_by TEXT, ended_reason TEXT
) WITHOUT ROWID;

-- `next_index` is the file's bookmark: records with a lower index are in the journal.
CREATE TABLE imports (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, next_index INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0, duplicate INTEGER NOT NULL DEFAULT 0, damaged TEXT NOT NULL DEFAULT '[]',
    closed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX imports_sha256 ON imports (sha256);
-- Noon-to-noon days, as days since 1970, about which something came to be known after they were judged: from the record
-- that first said something new of them, to the last.
CREATE TABLE dirty_days (
    day INTEGER PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL, cause TEXT NOT NULL
);
-- 16 bytes of SHA-256 over computer, channel, record id, time and bytes; the event that came first.
CREATE TABLE seen_events (key BLOB PRIMARY KEY, record INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE users (
    name TEXT PRIMARY KEY, display_name TEXT NOT NULL, role TEXT NOT NULL, password_hash TEXT NOT NULL, created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, secret_sha256 TEXT NOT NULL, created INTEGER NOT NULL,
    revoked INTEGER
) WITHOUT ROWID;
CREATE TABLE trail (record INTEGER PRIMARY KEY, at INTEGER NOT NULL, by TEXT NOT NULL, deed TEXT NOT NULL);
CREATE TABLE context (name TEXT PRIMARY KEY, record INTEGER NOT NULL, at INTEGER NOT NULL, sha256 TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE losses (receiver TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (receiver, reason)) WITHOUT ROWID;
-- What must not be deleted, whatever its age: a period of event time, open where it is NULL.
CREATE TABLE holds (
    name TEXT PRIMARY KEY, reason TEXT NOT NULL, "from" INTEGER, "to" INTEGER, record INTEGER NOT NULL, at INTEGER NOT NULL,
    by TEXT NOT NULL
) WITHOUT ROWID;
-- `state` is packed by zstd; `bytes` is what it unpacks to.
CREATE TABLE detector (
    id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, bytes INTEGER NOT NULL, state BLOB NOT NULL
);
