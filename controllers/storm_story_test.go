package controllers

import (
	"fmt"
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("A storm", func() {
	// Everything that can go wrong, by chance but repeatably, for simulated hours: a
	// service that fails and loses answers, an API server that does, processes that end,
	// Secrets that are deleted. What no client could keep is left out: a sign-in or a code whose
	// answer is lost, and a process that ends between answer and save.
	// `make chaos` tells more of it than `make test`.
	storms, hours := uint64(1), 8
	if isWhole {
		storms, hours = 4, 24
	}
	for seed := uint64(1); seed <= storms; seed++ {
		It(fmt.Sprintf("a storm of many hours costs no grant and sends no delivered refresh token again: random seed %d", seed), ofMatrix, func() {
			chance := rand.New(rand.NewPCG(seed, seed))
			// The service answers in goroutines of its own, and so has a source of its own.
			w := newWorld(fakespaces.WithGracePeriod(12*time.Hour), fakespaces.WithRandom(byteStream{rand.New(rand.NewPCG(seed, ^seed))}))
			w.apply(clientInput(), loginInput(), w.seedInput(), w.codeInput())
			names := []string{"password-1", "password-2", "verified", "seeded", "coded", "kiosk"}
			w.apply(byPassword(names[0]), byPassword(names[1]), byPassword(names[2], func(c *v1alpha1.SpacesCredential) {
				c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
			}), bySeed(names[3]), byCode(names[4]), asGuest(names[5]))

			stormy := func() *operator {
				o := w.operator()
				// An answer in memory would die with the process; no client can help that.
				mayDie := func() bool { return len(o.memory.withAnswers()) == 0 }
				o.at = func(_ int, what request) plannedFault {
					switch roll := chance.Float64(); {
					case roll < 0.03:
						return plannedFault{before: errRefused}
					case roll < 0.05:
						return plannedFault{after: errRefused}
					case roll < 0.07:
						return plannedFault{before: conflictError()}
					case roll < 0.08 && what != writeState && mayDie():
						panic(death{})
					}
					return plannedFault{}
				}
				o.after = func(int, request) {
					if chance.Float64() < 0.01 && mayDie() {
						panic(death{})
					}
				}
				return o
			}
			for operation, faults := range map[fakespaces.Operation][]fakespaces.Fault{
				fakespaces.OperationRefresh: {fakespaces.FaultLostAfter, fakespaces.FaultLostBefore, fakespaces.FaultServerError500,
					fakespaces.FaultThrottledSeconds, fakespaces.FaultHTML502After, fakespaces.FaultTruncatedJSON, fakespaces.FaultEmptyAccessToken,
					fakespaces.FaultMissingExpiresIn, fakespaces.FaultTextPlain},
				fakespaces.OperationPassword:          {fakespaces.FaultLostBefore, fakespaces.FaultServerError500, fakespaces.FaultThrottledDate},
				fakespaces.OperationAuthorizationCode: {fakespaces.FaultLostBefore, fakespaces.FaultServerError500, fakespaces.FaultThrottledDate},
				fakespaces.OperationGuest:             {fakespaces.FaultLostAfter, fakespaces.FaultServerError500, fakespaces.FaultTruncatedJSON, fakespaces.FaultGuestWithoutExp},
				fakespaces.OperationProfile:           {fakespaces.FaultForbidden403, fakespaces.FaultServerError500, fakespaces.FaultLostAfter},
				fakespaces.OperationTokenInfo:         {fakespaces.FaultOtherAudience, fakespaces.FaultServerError500, fakespaces.FaultCutBody},
				fakespaces.OperationRevoke:            {fakespaces.FaultLostBefore, fakespaces.FaultLostAfter, fakespaces.FaultServerError500},
			} {
				for _, fault := range faults {
					w.spaces.SetFaultRate(operation, fault, 0.03)
				}
			}

			o, deaths := stormy(), 0
			for hour := range hours {
				if !survive(func() { o.settleAll(names, time.Hour) }) {
					o = stormy()
					deaths++
				}
				if victim := names[hour%len(names)]; w.secret(victim) != nil && chance.Float64() < 0.5 {
					w.delete(w.secret(victim))
				}
			}
			Expect(deaths).To(BeNumerically(">", 0), "it was no storm")

			for _, operation := range fakespaces.Operations() {
				for _, fault := range fakespaces.Faults() {
					w.spaces.SetFaultRate(operation, fault, 0)
				}
			}
			calm := w.operator()
			calm.settleAll(names, 2*lifetime)
			for _, name := range names {
				w.expectReady(name)
			}
			w.expectNothingLost()
			for _, name := range names {
				w.delete(w.credential(name))
			}
			calm.settleAll(names, time.Hour)
			ledger := w.spaces.Ledger()
			Expect(ledger.GrantsLive).To(BeZero(), "%d of %d grants live on", ledger.GrantsLive, ledger.GrantsIssued)
			Expect(w.events.reasons()).NotTo(ContainElement(v1alpha1.ReasonRevocationAbandoned))
		})
	}
})

// byteStream makes a reader of a source of numbers.
type byteStream struct{ *rand.Rand }

// Read implements [io.Reader].
func (b byteStream) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b.Uint32())
	}
	return len(p), nil
}
