package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificatesFile is where Go and OpenSSL look for the authorities first.
const certificatesFile = "etc/ssl/certs/ca-certificates.crt"

// certificates are those of the public authorities that Mozilla trusts without a condition: a
// file cannot tell one.
func certificates() []byte {
	var file bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&file, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return file.Bytes()
}
