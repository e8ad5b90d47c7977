// The peer of `cargo xtask bench scep`: micromdm's scepserver as its own program puts it together
// (cmd/scepserver), without its log, and with a depot that has every certificate on the disk before
// the answer leaves, as the other side has.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/go-kit/kit/log"
	"github.com/micromdm/scep/v2/depot"
	"github.com/micromdm/scep/v2/depot/file"
	scepserver "github.com/micromdm/scep/v2/server"
)

const usage = "usage: scep DEPOT CHALLENGE"

// The password of the CA's key, which the server opens for each certificate.
const password = "secret"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scep:", err)
		os.Exit(1)
	}
}

// run tells where it listens, and serves until its standard input ends.
func run(args []string) error {
	if len(args) != 2 {
		return errors.New(usage)
	}
	folder, challenge := args[0], args[1]
	if err := initialise(folder); err != nil {
		return err
	}
	files, err := file.NewFileDepot(folder)
	if err != nil {
		return err
	}
	kept := durable{files, folder}
	certificates, key, err := kept.CA([]byte(password))
	if err != nil {
		return err
	}
	signer := depot.NewSigner(kept, depot.WithAllowRenewalDays(0), depot.WithCAPass(password))
	checked := scepserver.StaticChallengeMiddleware(challenge, scepserver.SignCSRAdapter(signer))
	service, err := scepserver.NewService(certificates[0], key, checked)
	if err != nil {
		return err
	}
	endpoints := scepserver.MakeServerEndpoints(service)
	handler := scepserver.MakeHTTPHandler(endpoints, service, log.NewNopLogger())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/scep\n", listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(listener, handler)
}

// initialise makes a CA as `scepserver ca -init -keySize 2048` does.
func initialise(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	der := x509.MarshalPKCS1PrivateKey(key)
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", der, []byte(password), x509.PEMCipher3DES)
	if err != nil {
		return err
	}
	ca := depot.NewCACert(depot.WithYears(10), depot.WithCommonName("MICROMDM SCEP CA"))
	certificate, err := ca.SelfSign(rand.Reader, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pems := map[string]*pem.Block{
		"ca.key": block,
		"ca.pem": {Type: "CERTIFICATE", Bytes: certificate},
	}
	for name, block := range pems {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o400); err != nil {
			return err
		}
	}
	return nil
}

// durable is the depot of files with what it wrote on the disk.
type durable struct {
	depot.Depot
	folder string
}

func (d durable) Put(name string, certificate *x509.Certificate) error {
	if err := d.Depot.Put(name, certificate); err != nil {
		return err
	}
	written := fmt.Sprintf("%s.%s.pem", name, certificate.SerialNumber)
	for _, path := range []string{written, "index.txt", "serial", "."} {
		if err := flush(filepath.Join(d.folder, path)); err != nil {
			return err
		}
	}
	return nil
}

func flush(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
