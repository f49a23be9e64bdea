package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const (
	// serviceAddress is where the service is served, on every address of the Pod.
	serviceAddress = ":8443"
	// addressVariable holds the address of the Pod, which nobody knows before it is there.
	addressVariable = "POD_IP"
	// validity is longer than the stories take.
	validity = 24 * time.Hour
)

// service is a service to be run.
type service struct {
	lifetime  time.Duration
	client    string
	users     []string
	password  string
	authority string
}

// runService serves a fakespaces over TLS, with its switches and its ledger: the Pod has a network
// of its own.
func runService(ctx context.Context, s service) error {
	certificate, err := certificateOf(s.authority, net.ParseIP(os.Getenv(addressVariable)))
	if err != nil {
		return err
	}
	id, secret, _ := strings.Cut(s.client, ":")
	options := []fakespaces.Option{fakespaces.WithClient(id, secret), fakespaces.WithTokenLifetime(s.lifetime)}
	for _, user := range s.users {
		options = append(options, fakespaces.WithUser(user, s.password))
	}
	spaces := fakespaces.New(options...)
	paths := http.NewServeMux()
	paths.Handle(fakespaces.ControlPath, spaces.ControlHandler())
	paths.Handle("/", spaces)
	return serve(ctx, &http.Server{Handler: paths, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}, serviceAddress)
}

// certificateOf is a new one for an address, signed by the authority in a folder.
func certificateOf(folder string, address net.IP) (tls.Certificate, error) {
	if address == nil {
		return tls.Certificate{}, fmt.Errorf("%s holds no address", addressVariable)
	}
	authority, err := tls.LoadX509KeyPair(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"))
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	asked := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{address},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, asked, authority.Leaf, key.Public(), authority.PrivateKey)
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}, err
}
