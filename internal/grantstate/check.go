package grantstate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// youngToken is how long the service may need until every part of it knows a new
	// token. Until then a 401 says little, and the check is repeated quickly.
	youngToken = time.Minute
	// youngRecheck is the wait between two checks of a young token.
	youngRecheck = 5 * time.Second
)

// Check is the verification of a token that has not passed it.
type Check struct {
	// Passed are the checks that need not be repeated.
	Passed []v1alpha1.Verification `json:"passed,omitempty"`
	// Attempts counts those that failed; Detail says what the last one found.
	Attempts int32  `json:"attempts,omitempty"`
	Detail   string `json:"detail,omitempty"`
	// Person tells that trying again will hardly help.
	Person          bool      `json:"person,omitempty"`
	NextAttemptTime time.Time `json:"nextAttemptTime,omitzero"`
}

func (c *Check) clone() *Check {
	c = clone(c)
	if c != nil {
		c.Passed = slices.Clone(c.Passed)
	}
	return c
}

// Next is the first check of those that are asked for that was not passed, or "".
func (c Check) Next(asked []v1alpha1.Verification) v1alpha1.Verification {
	for _, which := range asked {
		if !slices.Contains(c.Passed, which) {
			return which
		}
	}
	return ""
}

// Waits tells that the last check failed not long ago.
func (c Check) Waits(now time.Time) bool {
	return backoff.Within(now, c.NextAttemptTime, backoff.Longest)
}

// Check is that of the newest token, or nil when it needs none.
func (d Document) Check() *Check {
	if token := d.Token(); token != nil {
		return token.Check
	}
	return nil
}

// Passed notes that the newest token passed a check. With the last of those that are asked
// for it may be published.
func (d *Document) Passed(which v1alpha1.Verification, asked []v1alpha1.Verification) {
	if c := d.grant.Token.Check; c != nil {
		c.Passed = append(c.Passed, which)
		if c.Next(asked) == "" {
			d.Verified()
		}
	}
}

// Verified notes that no check is asked for any more that was not passed.
func (d *Document) Verified() { d.grant.Token.Check, d.meanwhile = nil, nil }

// CheckFailed notes that a check failed. person tells that trying again will hardly help.
func (d *Document) CheckFailed(which v1alpha1.Verification, err error, person bool, now time.Time) {
	token := d.grant.Token
	c := token.Check
	if c == nil {
		return
	}
	c.Attempts++
	c.Detail = fmt.Sprintf("%s: %s", which, err)
	c.Person = person
	wait := backoff.After(string(d.credentialUID), c.Attempts, token.ExpirationTime.Sub(now))
	var answered *spacesauth.Error
	if errors.As(err, &answered) {
		switch {
		case answered.RetryAfter > 0:
			wait = min(answered.RetryAfter, backoff.Longest)
		case answered.StatusCode == http.StatusUnauthorized && now.Before(token.IssueTime.Add(youngToken)):
			wait = youngRecheck
		}
	}
	c.NextAttemptTime = now.Add(wait)
}
