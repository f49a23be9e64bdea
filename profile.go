//go:build profile

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"
)

// profileVariable names the address at which profiles are served; without it there are none.
const profileVariable = "SPACES_OPERATOR_PROFILE_ADDRESS"

// The build tag profile is set by make bench alone. A profile of the heap holds every token, so
// that what is shipped serves none, and this serves whoever is on the same machine.
func init() {
	address := os.Getenv(profileVariable)
	if address == "" {
		return
	}
	listener, err := net.Listen("tcp", address)
	if err == nil && !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		err = fmt.Errorf("%s must name an address of loopback, not %s", profileVariable, address)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "spaces-credential-operator: profiles cannot be served: %v\n", err)
		os.Exit(1)
	}
	profiles := http.NewServeMux()
	profiles.HandleFunc("/debug/pprof/", pprof.Index)
	profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
	server := &http.Server{Handler: profiles, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
}
