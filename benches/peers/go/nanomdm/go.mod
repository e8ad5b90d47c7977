module example.com/bench/nanomdm

go 1.24

tool github.com/micromdm/nanomdm/cmd/nanomdm

require (
	filippo.io/edwards25519 v1.1.0 // indirect
	github.com/go-sql-driver/mysql v1.8.1 // indirect
	github.com/google/btree v1.0.0 // indirect
	github.com/lib/pq v1.10.9 // indirect
	github.com/micromdm/nanolib v0.5.0 // indirect
	github.com/micromdm/nanomdm v0.9.0 // indirect
	github.com/micromdm/plist v0.2.1 // indirect
	github.com/peterbourgon/diskv/v3 v3.0.1 // indirect
	github.com/smallstep/pkcs7 v0.2.1 // indirect
	golang.org/x/crypto v0.33.0 // indirect
	golang.org/x/net v0.34.0 // indirect
	golang.org/x/text v0.22.0 // indirect
)
