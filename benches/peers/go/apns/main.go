// Two of the peers of `cargo xtask bench apns`, each sending so many pushes with so many in flight
// at a time over one connection: sideshow/apns2, and the push client of nanomdm (nanopush).
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/micromdm/nanomdm/mdm"
	"github.com/micromdm/nanomdm/push/nanopush"
	"github.com/sideshow/apns2"
	"golang.org/x/net/http2"
)

const usage = "usage: apns apns2|nanopush PORT FOLDER IN_FLIGHT PUSHES"

const lifetime = 7 * 24 * time.Hour

// send sends one push to the token; nil where the answer was 200.
type send func(token string) error

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "apns:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return errors.New(usage)
	}
	inFlight, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	pushes, err := strconv.ParseInt(args[4], 10, 64)
	if err != nil {
		return err
	}
	known, err := read(args[1], args[2])
	if err != nil {
		return err
	}
	var one send
	switch args[0] {
	case "apns2":
		one = known.apns2()
	case "nanopush":
		one, err = known.nanopush()
	default:
		err = errors.New(usage)
	}
	if err != nil {
		return err
	}
	// The connection stands before the time runs.
	if err := one(known.tokens[0]); err != nil {
		return err
	}

	var next, delivered, failed atomic.Int64
	var first sync.Once
	var workers sync.WaitGroup
	began := time.Now()
	for range inFlight {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				number := next.Add(1) - 1
				if number >= pushes {
					return
				}
				err := one(known.tokens[number%int64(len(known.tokens))])
				if err == nil {
					delivered.Add(1)
					continue
				}
				failed.Add(1)
				first.Do(func() { fmt.Fprintln(os.Stderr, args[0]+": first failure:", err) })
			}
		}()
	}
	workers.Wait()
	fmt.Printf("%d %d %.9f\n", delivered.Load(), failed.Load(), time.Since(began).Seconds())
	return nil
}

// What the folder tells: whom to trust, who we are, and whom to push to.
type known struct {
	port   string
	roots  *x509.CertPool
	own    tls.Certificate
	topic  string
	magic  string
	tokens []string
}

func read(port, folder string) (*known, error) {
	k := &known{port: port, roots: x509.NewCertPool()}
	root, err := os.ReadFile(filepath.Join(folder, "root.pem"))
	if err != nil {
		return nil, err
	}
	if !k.roots.AppendCertsFromPEM(root) {
		return nil, errors.New("root.pem holds no certificate")
	}
	certificate, key := filepath.Join(folder, "push.pem"), filepath.Join(folder, "push.key")
	if k.own, err = tls.LoadX509KeyPair(certificate, key); err != nil {
		return nil, err
	}
	pushes, err := os.Open(filepath.Join(folder, "pushes"))
	if err != nil {
		return nil, err
	}
	defer pushes.Close()
	lines := bufio.NewScanner(pushes)
	for lines.Scan() {
		k.tokens = append(k.tokens, lines.Text())
	}
	if len(k.tokens) < 3 {
		return nil, errors.New("pushes holds no topic, no magic or no token")
	}
	k.topic, k.magic, k.tokens = k.tokens[0], k.tokens[1], k.tokens[2:]
	return k, lines.Err()
}

func (k *known) apns2() send {
	client := apns2.NewClient(k.own)
	client.Host = "https://localhost:" + k.port
	client.HTTPClient.Transport.(*http2.Transport).TLSClientConfig.RootCAs = k.roots
	payload := map[string]string{"mdm": k.magic}
	return func(token string) error {
		answer, err := client.Push(&apns2.Notification{
			ApnsID:      uuid(),
			DeviceToken: token,
			Topic:       k.topic,
			Expiration:  time.Now().Add(lifetime).Round(time.Minute),
			Priority:    apns2.PriorityHigh,
			Payload:     payload,
			PushType:    apns2.PushTypeMDM,
		})
		if err == nil && !answer.Sent() {
			err = fmt.Errorf("%d %s", answer.StatusCode, answer.Reason)
		}
		return err
	}
}

// nanopush asks for Apple's host by name: the connection goes elsewhere, the rest is as it is. A
// push of one token at a time, because a push of several waits for the slowest of them.
func (k *known) nanopush() (send, error) {
	dial := func(ctx context.Context, network, _ string, config *tls.Config) (net.Conn, error) {
		config = config.Clone()
		config.ServerName = "localhost"
		dialer := &tls.Dialer{Config: config}
		return dialer.DialContext(ctx, network, "localhost:"+k.port)
	}
	client := func(own *tls.Certificate) (*http.Client, error) {
		transport := &http2.Transport{
			TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{*own}, RootCAs: k.roots},
			DialTLSContext:  dial,
		}
		return &http.Client{Transport: headers{topic: k.topic, next: transport}}, nil
	}
	factory := nanopush.NewFactory(
		nanopush.WithNewClient(client),
		nanopush.WithExpiration(lifetime),
	)
	provider, err := factory.NewPushProvider(&k.own)
	if err != nil {
		return nil, err
	}
	return func(token string) (err error) {
		// Of nanomdm's own workers a panic takes the whole process with it.
		defer func() {
			if panicked := recover(); panicked != nil {
				err = fmt.Errorf("panic: %v", panicked)
			}
		}()
		push := &mdm.Push{PushMagic: k.magic, Topic: k.topic}
		if err := push.SetTokenString(token); err != nil {
			return err
		}
		answers, err := provider.Push(context.Background(), []*mdm.Push{push})
		if err != nil {
			return err
		}
		answer := answers[token]
		if answer == nil {
			return errors.New("no answer")
		}
		return answer.Err
	}, nil
}

// headers sets the two that nanopush leaves out and the fake service asks for.
type headers struct {
	topic string
	next  http.RoundTripper
}

func (h headers) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("apns-push-type", "mdm")
	request.Header.Set("apns-topic", h.topic)
	return h.next.RoundTrip(request)
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
