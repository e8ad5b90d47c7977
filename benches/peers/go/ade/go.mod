module example.com/bench/ade

go 1.24

require github.com/micromdm/nanodep v0.7.0

require (
	github.com/gomodule/oauth1 v0.2.0 // indirect
	github.com/micromdm/nanolib v0.5.0 // indirect
)
