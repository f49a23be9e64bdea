package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// network is the way to the service from here. The operator's environments file has the same
// for the operator, with paths of its own machine.
type network struct {
	caFile   string
	proxyURL string
	// authorities are the certificates of the environment's caFile, as the cluster has them. A
	// caFile of this machine takes their place.
	authorities []byte
}

// addNetwork gives a command the flags of a network.
func addNetwork(command *cobra.Command) *network {
	n := &network{}
	command.Flags().StringVar(&n.caFile, "ca-file", "", "file of PEM certificates to trust beside the system's, instead of the caFile that the environment has in the cluster")
	command.Flags().StringVar(&n.proxyURL, "proxy-url", "", "proxy to the service, as proxyURL of the environment has it, instead of that of HTTPS_PROXY and NO_PROXY")
	return n
}

// client is base on this way.
func (n *network) client(base *http.Client) (*http.Client, error) {
	transport, err := spacesauth.NewTransport(spacesauth.Environment{Name: "of --ca-file and --proxy-url", CAFile: n.caFile, ProxyURL: n.proxyURL})
	if err != nil {
		return nil, fmt.Errorf("the service cannot be called so: %w", err)
	}
	if n.caFile == "" && n.authorities != nil {
		if err := spacesauth.TrustToo(transport, n.authorities); err != nil {
			return nil, fmt.Errorf("the caFile of the environment: %w", err)
		}
	}
	client := *base
	client.Transport = transport
	return &client, nil
}

// hint says what may help against an error on the way.
func (n *network) hint(err error) string {
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) && n.caFile == "" {
		return "; the environment may have a caFile that you may not read in the cluster: --ca-file names a copy of it here"
	}
	return ""
}
