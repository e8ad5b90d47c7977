-- Keys and identities of the server itself, sealed by whoever keeps them.
CREATE TABLE vault (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
