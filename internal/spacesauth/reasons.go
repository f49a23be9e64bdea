package spacesauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// proxyRefusal is the status with which a proxy refused to let a call through (RFC 9110, section 9.3.6).
type proxyRefusal int

func (status proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy on the way refused the call with status %d", int(status))
}

// reason names what went wrong on the way, in words of ours: the text of a
// transport error can repeat a URL, a proxy's user info or a response.
func reason(err error) string {
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var record tls.RecordHeaderError
	var refusal proxyRefusal
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &certificate):
		return untrusted(certificate.Err)
	case errors.As(err, &network) && network.Op == "remote error": // an alert, as crypto/tls has it
		return "the host ended TLS with an alert; it must speak TLS 1.2 or newer"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the host does not speak TLS"
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the call took too long"
	case errors.As(err, &network) && network.Op == "proxyconnect": // as net/http has it
		return "the proxy on the way could not be reached"
	case errors.As(err, &refusal):
		return refusal.Error()
	case errors.As(err, &network) && network.Op == "dial":
		return "the host could not be reached"
	case isUnsendable(err):
		return "no request can be made of it; look for control characters in it, and at the proxy variables here"
	}
	return "the connection broke"
}

// untrusted names what is wrong with a certificate. It is the host's to mend, or the
// operator's caFile.
func untrusted(err error) string {
	var invalid x509.CertificateInvalidError
	var other x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of the host has expired, or is not valid yet by the clock here"
	case errors.As(err, &other):
		return "the certificate is not that of the host"
	}
	return "the certificate of the host comes from no authority that is trusted here; caFile can name another"
}
