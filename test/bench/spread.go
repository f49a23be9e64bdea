package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// slot is the time in which renewals are counted together.
const slot = 10 * time.Second

// spread is how the first renewals of tokens that were issued in a burst are spread over time, by
// the operator's own schedule.
type spread struct {
	Tokens int `json:"tokens"`
	// PerSecond is how many were issued in a second; 0 is all at once.
	PerSecond int `json:"perSecond"`
	// First and Last are the first and the last renewal, after the first token.
	First time.Duration `json:"first"`
	Last  time.Duration `json:"last"`
	// Busiest is how many renewals fall into the busiest slot, Ratio that over the mean between
	// the first and the last renewal.
	Busiest int     `json:"busiest"`
	Ratio   float64 `json:"ratio"`

	issued, renewed []time.Duration // after the first token
}

// spreads are those of the picture.
func spreads() []spread {
	var all []spread
	for _, tokens := range []int{1000, 10_000} {
		for _, perSecond := range []int{spacesauth.DefaultRequestsPerSecond, 0} {
			all = append(all, spreadOver(tokens, perSecond))
		}
	}
	return all
}

// spreadOver issues tokens of an hour, and looks when they are to be renewed.
func spreadOver(tokens, perSecond int) spread {
	s := spread{Tokens: tokens, PerSecond: perSecond}
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range tokens {
		at := began
		if perSecond > 0 {
			at = at.Add(time.Duration(max(0, i-spacesauth.DefaultBurst)) * time.Second / time.Duration(perSecond))
		}
		s.issued = append(s.issued, at.Sub(began))
		s.renewed = append(s.renewed, renewalOf(uidOf(i), at).Sub(began))
	}
	s.First, s.Last = slices.Min(s.renewed), slices.Max(s.renewed)
	slots := perSlot(s.renewed)
	s.Busiest = slices.Max(slots)
	s.Ratio = float64(s.Busiest) / (float64(tokens) / (float64(s.Last-s.First) / float64(slot)))
	return s
}

// perSlot counts moments by slot, from 0 on.
func perSlot(moments []time.Duration) []int {
	counted := make([]int, slices.Max(moments)/slot+1)
	for _, at := range moments {
		counted[at/slot]++
	}
	return counted
}

// uidOf is a UID that looks like chance, and is the same in each run.
func uidOf(i int) types.UID {
	sum := sha256.Sum256(fmt.Appendf(nil, "spread %d", i))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

// renewalOf is when a token of an hour is to be renewed, which a document says that has recorded
// one. Nothing else of it matters.
func renewalOf(uid types.UID, issue time.Time) time.Time {
	credential := credentialOf(types.NamespacedName{Namespace: "spread", Name: "bot"}, fastEnvironment, loginName)
	credential.UID, credential.Spec.Renewal = uid, nil // the default
	given := grantstate.Given{AccountsURL: "https://accounts.example.test", Application: spacesauth.Application{ID: clientID}, Username: username}
	document, err := grantstate.New(credential, nothing{})
	if err != nil {
		panic(err) // nothing does not fail
	}
	observed := grantstate.Observation{Credential: credential, Document: document, Inputs: document.See(given), Now: issue}
	spend, _, err := observed.SignIn(fastEnvironment, given, nothing{})
	if err != nil {
		panic(err)
	}
	document.Claim(spend, credential, "bench", issue, time.Second)
	got := spacesauth.Answer{AccessToken: spacesauth.NewSecret("token"), IssueTime: issue, Lifetime: time.Hour}
	document.Record(document.Answer(spend, credential, got, nil, issue), issue)
	return document.Token().RenewalTime
}

// nothing is randomness where none is needed.
type nothing struct{}

// Read implements [io.Reader].
func (nothing) Read(p []byte) (int, error) { return len(p), nil }
