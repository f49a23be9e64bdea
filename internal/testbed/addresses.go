package testbed

import (
	"errors"
	"net"
)

// anyPort is where a listener gets a free port of loopback.
const anyPort = "127.0.0.1:0"

// FreeAddresses finds different addresses on loopback where nobody listens, for a process
// that is about to.
func FreeAddresses(number int) (addresses []string, err error) {
	var open []net.Listener // until the end, so that all are different
	for range number {
		listener, failed := net.Listen("tcp", anyPort)
		if failed != nil {
			err = failed
			break
		}
		open = append(open, listener)
		addresses = append(addresses, listener.Addr().String())
	}
	for _, listener := range open {
		err = errors.Join(err, listener.Close())
	}
	return addresses, err
}
