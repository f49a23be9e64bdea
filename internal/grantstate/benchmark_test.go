package grantstate

import (
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// The judgements of a pass, for benchstat: make bench-micro.

// settled is a document in the middle of its life, with what there is to look at beside it.
func settled(b *testing.B) (Observation, Given) {
	b.Helper()
	credential := credentialOf(v1alpha1.GrantTypePassword)
	credential.UID = "7d3f5a1e-2f0b-4b0e-9a51-0c8f6a2b9d10"
	given := Given{
		AccountsURL: "https://accounts.example.test", Username: "bot@example.test", Password: spacesauth.NewSecret("password"),
		Application: spacesauth.Application{ID: "client", Secret: spacesauth.NewSecret("client-secret")},
	}
	d, err := New(credential, zeroes{})
	if err != nil {
		b.Fatal(err)
	}
	o := Observation{Credential: credential, Document: d, Inputs: d.See(given), Now: noon}
	spend, _, err := o.SignIn("production", given, zeroes{})
	if err != nil {
		b.Fatal(err)
	}
	d.Claim(spend, credential, "holder", noon, 15*time.Second)
	d.Record(d.Answer(spend, credential, answer(noon), nil, noon), noon)
	d.StandsIn("0a4c2b7d-90d4-4a0e-8a3f-6a1f3f0d1c22")
	o.Document, o.Inputs = d, d.See(given)
	return o, given
}

// answer is one of the usual size.
func answer(at time.Time) spacesauth.Answer {
	const hex = "00112233445566778899aabbccddeeff00112233"
	return spacesauth.Answer{
		AccessToken: spacesauth.NewSecret(hex), RefreshToken: spacesauth.NewSecret(hex), IDToken: spacesauth.NewSecret("e30.e30." + hex),
		TokenType: "Bearer", Scope: "email profile spaces", IssueTime: at, Lifetime: time.Hour,
	}
}

// zeroes is randomness where none is needed.
type zeroes struct{}

// Read implements [io.Reader].
func (zeroes) Read(p []byte) (int, error) { return len(p), nil }

func BenchmarkDecide(b *testing.B) {
	o, _ := settled(b)
	for sentence, after := range map[string]time.Duration{"nothing is due": time.Minute, "a renewal is due": 50 * time.Minute} {
		b.Run(sentence, func(b *testing.B) {
			b.ReportAllocs()
			o.Now = noon.Add(after)
			for b.Loop() {
				Decide(o)
			}
		})
	}
}

func BenchmarkSee(b *testing.B) {
	o, given := settled(b)
	b.ReportAllocs()
	for b.Loop() {
		o.Document.See(given)
	}
}

// A renewal as the document sees it: the claim, the answer and its record.
func BenchmarkRecord(b *testing.B) {
	o, _ := settled(b)
	spend, got, now := o.Refresh(), answer(noon.Add(40*time.Minute)), noon.Add(40*time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		d := o.Document.Clone()
		d.Claim(spend, o.Credential, "holder", now, 15*time.Second)
		d.Record(d.Answer(spend, o.Credential, got, nil, now), now)
	}
}

func BenchmarkSchedule(b *testing.B) {
	o, _ := settled(b)
	renewal := o.Credential.EffectiveRenewal()
	b.ReportAllocs()
	for b.Loop() {
		schedule(o.Credential.UID, renewal, noon, time.Hour)
	}
}

func BenchmarkReadDocument(b *testing.B) {
	o, _ := settled(b)
	content, err := o.Document.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := Read(content); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteDocument(b *testing.B) {
	o, _ := settled(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Document.Bytes(); err != nil {
			b.Fatal(err)
		}
	}
}
