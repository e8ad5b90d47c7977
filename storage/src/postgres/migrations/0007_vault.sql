-- Keys and identities of the server itself, sealed by whoever keeps them.
CREATE TABLE mdm_vault (
    name text COLLATE "C" PRIMARY KEY,
    sealed bytea NOT NULL
);
