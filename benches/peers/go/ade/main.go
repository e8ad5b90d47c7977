// The peer of `cargo xtask bench ade`: nanodep's syncer once through all devices, with a callback
// that does nothing and a storage that keeps nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/micromdm/nanodep/client"
	"github.com/micromdm/nanodep/godep"
	"github.com/micromdm/nanodep/sync"
)

const usage = "usage: ade URL TOKEN.json PAGE [check]"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nanodep:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New(usage)
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	store := &nothing{url: args[0]}
	if err := json.Unmarshal(text, &store.tokens); err != nil {
		return err
	}
	page, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}

	// The default transport, which trusts what SSL_CERT_FILE says.
	web := &http.Client{Transport: version{http.DefaultTransport}}
	dep := godep.NewClient(store, godep.WithClient(web), godep.WithUserAgent("bench/1.0"))

	callback := func(context.Context, bool, *godep.FetchDeviceResponseJson) error { return nil }
	if len(args) > 3 && args[3] == "check" {
		callback = check
	}
	syncer := sync.NewSyncer(dep, "bench", store, sync.WithLimit(page), sync.WithCallback(callback))
	if err := syncer.Run(context.Background()); err != nil {
		return err
	}
	if len(args) > 3 {
		fmt.Printf("%d devices, %016x\n", devices, serials.Sum64())
	}
	// The syncer only logs what goes wrong: this tells whether it came to the end.
	if store.moved == 0 {
		return errors.New("no page came")
	}
	fmt.Println(store.moved)
	return nil
}

var (
	devices int
	serials = fnv.New64a()
)

// check counts the devices and hashes their serial numbers, to be compared with the other side's.
func check(_ context.Context, _ bool, page *godep.FetchDeviceResponseJson) error {
	for _, device := range page.Devices {
		devices++
		_, _ = io.WriteString(serials, device.SerialNumber+"\n")
	}
	return nil
}

// version asks for the protocol version that the other side asks for.
type version struct{ next http.RoundTripper }

func (v version) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("X-Server-Protocol-Version", os.Getenv("PROTOCOL_VERSION"))
	return v.next.RoundTrip(request)
}

// nothing knows the token and the URL, and counts how often the cursor moved.
type nothing struct {
	url    string
	tokens client.OAuth1Tokens
	moved  int
}

func (n *nothing) RetrieveAuthTokens(context.Context, string) (*client.OAuth1Tokens, error) {
	return &n.tokens, nil
}

func (n *nothing) RetrieveConfig(context.Context, string) (*client.Config, error) {
	return &client.Config{BaseURL: n.url}, nil
}

func (n *nothing) RetrieveCursor(context.Context, string) (string, error) { return "", nil }

func (n *nothing) StoreCursor(context.Context, string, string) error {
	n.moved++
	return nil
}
