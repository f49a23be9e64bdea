package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A certificate that its issuer renews is served without a restart, one that cannot be read never,
// and no more than HTTP/1.1 is offered.
func TestTheCertificateOfTheMetricsIsReadAgain(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	mount(t, folder, issued(t, 1))
	p := start(t, "--metrics-cert-path="+folder)
	g.Eventually(func() int64 { return served(t, p.metrics) }).WithTimeout(time.Minute).Should(BeEquivalentTo(1))
	g.Expect(statusOf(t, "https://"+p.metrics+"/metrics")).To(Equal(http.StatusUnauthorized))

	mount(t, folder, issued(t, 2))
	g.Eventually(func() int64 { return served(t, p.metrics) }).WithTimeout(time.Minute).Should(BeEquivalentTo(2))

	broken := issued(t, 3)
	broken.key = issued(t, 4).key
	mount(t, folder, broken)
	g.Eventually(p.operator.Log).WithTimeout(time.Minute).Should(ContainSubstring("private key does not match public key"))
	g.Expect(served(t, p.metrics)).To(BeEquivalentTo(2))
	mount(t, folder, issued(t, 5))
	g.Eventually(func() int64 { return served(t, p.metrics) }).WithTimeout(time.Minute).Should(BeEquivalentTo(5))
}

// A certificate that the operator signs itself comes with no more than HTTP/1.1 either.
func TestTheMetricsOfferNoHTTP2(t *testing.T) {
	g := NewWithT(t)
	p := start(t)
	g.Eventually(func() int64 { return served(t, p.metrics) }).WithTimeout(time.Minute).ShouldNot(BeZero())
}

// served is the serial number of the certificate that an address shows to whoever would like to
// talk HTTP/2; 0 says that nobody answered.
func served(t *testing.T, address string) int64 {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{NextProtos: []string{"h2", "http/1.1"}, InsecureSkipVerify: true}} // its number tells whose it is
	connection, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return 0
	}
	defer func() { _ = connection.Close() }()
	state := connection.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol != "http/1.1" {
		t.Fatalf("%s chose %q", address, state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].SerialNumber.Int64()
}

// keyPair is a certificate and its key, as PEM.
type keyPair struct{ certificate, key []byte }

// issued is a certificate of a serial number.
func issued(t *testing.T, serial int64) keyPair {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"spaces-credential-operator-metrics.spaces-credential-operator-system.svc"}, IPAddresses: []net.IP{{127, 0, 0, 1}},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	g.Expect(err).NotTo(HaveOccurred())
	private, err := x509.MarshalPKCS8PrivateKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	return keyPair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// mount puts a certificate into a folder as a kubelet does: what is new stands aside, a link turns
// to it, and then the old goes.
func mount(t *testing.T, folder string, pair keyPair) {
	t.Helper()
	g := NewWithT(t)
	link := filepath.Join(folder, "..data")
	before, _ := os.Readlink(link)
	aside, err := os.MkdirTemp(folder, "..at_")
	g.Expect(err).NotTo(HaveOccurred())
	for name, content := range map[string][]byte{"tls.crt": pair.certificate, "tls.key": pair.key} {
		g.Expect(os.WriteFile(filepath.Join(aside, name), content, 0o600)).To(Succeed())
		if before == "" {
			g.Expect(os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name))).To(Succeed())
		}
	}
	g.Expect(os.Symlink(filepath.Base(aside), link+"_new")).To(Succeed())
	g.Expect(os.Rename(link+"_new", link)).To(Succeed())
	if before != "" {
		g.Expect(os.RemoveAll(filepath.Join(folder, before))).To(Succeed())
	}
}
