package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// report writes what the service saw, as the last lines of the demo. It fails when
// something was left behind, a spent refresh token was sent again, or a workload
// would have been refused.
func report(out io.Writer, ledger fakespaces.Ledger, checked checkCounts) error {
	for _, failure := range checked.failures {
		_, _ = fmt.Fprintln(out, "failed check at", failure)
	}
	for _, line := range []struct {
		name   string
		number int
	}{
		{"tokens issued", ledger.TokensIssued},
		{"grants revoked", ledger.GrantsRevoked},
		{"grants left", ledger.GrantsLive},
		{"refresh tokens sent again after their answer was delivered", ledger.SentAgainAfterDelivery},
		{"checks of published tokens", checked.made},
		{"failed checks of published tokens", checked.failed},
	} {
		_, _ = fmt.Fprintf(out, "%s: %d\n", line.name, line.number)
	}
	switch {
	case ledger.GrantsLive > 0, ledger.SentAgainAfterDelivery > 0, checked.failed > 0:
		return errors.New("one of the numbers that must be 0 is not")
	case checked.made == 0:
		return errors.New("no token was ever published, so these numbers prove nothing")
	}
	return nil
}
