module example.com/bench/apns

go 1.24

require (
	github.com/micromdm/nanomdm v0.9.0
	github.com/sideshow/apns2 v0.25.0
	golang.org/x/net v0.34.0
)

require (
	github.com/golang-jwt/jwt/v4 v4.4.1 // indirect
	github.com/micromdm/plist v0.2.1 // indirect
	golang.org/x/text v0.22.0 // indirect
)
