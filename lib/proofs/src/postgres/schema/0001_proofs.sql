-- A proof's record, whole as JSON, and beside it what proofs are found, listed and counted by. Times are milliseconds
-- since 1970. `put` tells one put of an id from the next. `version` is the version of the record's format; `length` is
-- what all of the proof takes, in bytes. Text, not jsonb: that takes no \u0000, and orders what it is given.
CREATE TABLE credlink.proofs (
    id uuid PRIMARY KEY,
    put uuid NOT NULL,
    version smallint NOT NULL,
    image_hash bytea NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    length bigint NOT NULL,
    record text NOT NULL
);

-- In the order in which a look-up by image hash answers.
CREATE INDEX proofs_by_image ON credlink.proofs (image_hash, created_at DESC, id DESC);

-- With all that counting needs: it reads this index alone.
CREATE INDEX proofs_by_expiry ON credlink.proofs (expires_at) INCLUDE (created_at, length);

-- Manifest stores lie apart, so that records lie close together. They are hashes, signatures and certificates for the
-- most part: to compress them costs more than it saves.
CREATE TABLE credlink.manifest_stores (
    proof uuid PRIMARY KEY REFERENCES credlink.proofs ON DELETE CASCADE,
    sha256 bytea NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE credlink.manifest_stores ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- The same of the copies that got a time-stamp later.
CREATE TABLE credlink.stamped_copies (
    proof uuid PRIMARY KEY REFERENCES credlink.proofs ON DELETE CASCADE,
    sha256 bytea NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE credlink.stamped_copies ALTER COLUMN bytes SET STORAGE EXTERNAL;
