package grantstate

// invalidClient is the code by which a service refuses a client's secret, RFC 6749 §5.2.
const invalidClient = "invalid_client"

// sent are the hashes of what would be sent with one secret of the client.
type sent struct{ signIn, refresh string }

// InTurn is what was seen, with the secret of the client whose turn it is: the present one, or the
// one of before where the service has refused the present one. While a rotation is under way
// nobody knows which the service has. Where it refused both, it is the present one's turn again
// when that may be asked.
func (d Document) InTurn(seen Seen) Seen {
	present := sent{seen.signIn, seen.refresh}
	if seen.other == (sent{}) || !d.refusesSecret(present) || d.refusesSecret(seen.other) {
		return seen
	}
	seen.signIn, seen.refresh, seen.other = seen.other.signIn, seen.other.refresh, present
	seen.isPrevious = !seen.isPrevious
	return seen
}

// Sent is what is given, with the secret of the client whose turn it is.
func (s Seen) Sent(given Given) Given {
	if s.isPrevious {
		given.Application.Secret, given.Previous = given.Previous, given.Application.Secret
	}
	return given
}

// refusesSecret tells that the service refused the client with a secret, and that it was not asked
// with success since.
func (d Document) refusesSecret(with sent) bool {
	for _, hash := range []string{with.signIn, with.refresh} {
		if hash == "" {
			continue
		}
		if refusal := d.inputs.refused(hash); refusal != nil && refusal.Code == invalidClient {
			return true
		}
		for _, f := range []*Failure{d.signInFailure, d.refreshFailure} {
			if f != nil && f.Code == invalidClient && (f.InputsHash == hash || f.OtherHash == hash) {
				return true
			}
		}
	}
	return false
}

// isRotating tells that a secret of the client was refused while there are two: neither refusal is
// believed for good, since the service may have changed it between the two.
func (s Spend) isRotating(f *Failure) bool { return s.other != "" && f.Code == invalidClient }

// afterOther notes that the other secret of the client was refused just before, so that no third try
// follows at once. A pair that is complete begins anew.
func (f *Failure) afterOther(s Spend, previous *Failure, of inputs) {
	if !s.isRotating(f) {
		return
	}
	refusal := of.refused(s.other) // of when there was one alone
	wasRefused := refusal != nil && refusal.Code == invalidClient
	wasTried := previous != nil && previous.Code == invalidClient && previous.InputsHash == s.other && previous.OtherHash == ""
	if wasRefused || wasTried {
		f.OtherHash = s.other
	}
}
