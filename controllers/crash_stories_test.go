package controllers

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// crashStory is a story that is told once for every request and every call it makes,
// and every mishap that can happen there.
type crashStory struct {
	// begin brings the world to where the mishap may strike.
	begin func(w *world)
	// lost is how the story may end where no client could have kept the grant.
	lost func(w *world)
	// end judges the world when everything has settled.
	end func(w *world)
}

// ready begins with a credential that has a token.
func ready(w *world, credential *v1alpha1.SpacesCredential, inputs ...*corev1.Secret) {
	GinkgoHelper()
	for _, input := range inputs {
		w.apply(input)
	}
	w.apply(credential)
	w.former = w.operator()
	w.former.settle("bot", time.Second+time.Duration(len(credential.Spec.Verification))*callPause)
	w.former.reconcile("bot") // so that its informers have shown it everything
	w.expectReady("bot")
}

// due begins with a credential whose time to renew has come.
func due(w *world, credential *v1alpha1.SpacesCredential, inputs ...*corev1.Secret) {
	GinkgoHelper()
	ready(w, credential, inputs...)
	w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
}

// put changes keys of an input.
func (w *world) put(name string, values map[string]string) {
	GinkgoHelper()
	secret := w.secret(name)
	for key, value := range values {
		secret.Data[key] = []byte(value)
	}
	Expect(admin.Update(w.ctx, secret)).To(Succeed())
}

// ask sets a request annotation.
func (w *world) ask(annotation string) {
	GinkgoHelper()
	credential := w.credential("bot")
	credential.Annotations = map[string]string{annotation: "now"}
	Expect(admin.Update(w.ctx, credential)).To(Succeed())
}

// oneGrant is the usual end: a token that works, its grant, and no other.
func oneGrant(w *world) {
	GinkgoHelper()
	w.expectReady("bot")
	w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
	Expect(w.spaces.Ledger().GrantsLive).To(Equal(1+len(w.document("bot").Pending())), "live grants")
}

// anotherGrant is how a password goes on: what was lost lives on at the service, where
// nobody has its refresh token.
func anotherGrant(w *world) {
	GinkgoHelper()
	w.expectReady("bot")
}

// aPerson is how a seed or a code goes on.
func aPerson(w *world) {
	GinkgoHelper()
	w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue)
	Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason",
		Or(Equal(v1alpha1.ReasonGrantRejected), Equal(v1alpha1.ReasonReauthorizationRequired)))))
}

// nothingLeft is the end of a deletion.
func nothingLeft(w *world) {
	GinkgoHelper()
	Expect(w.exists("bot")).To(BeFalse())
	Expect(w.stateExists("bot")).To(BeFalse())
	Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
}

// moves is the end of an export: the grant counts as given away, nobody has spent or revoked it, and
// the importer can take it over.
func moves(w *world) {
	GinkgoHelper()
	w.expectExported(w.importKey)
	Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
	w.expectMoves(w.importKey)
}

func nothingPublished(w *world) {
	GinkgoHelper()
	nothingLeft(w)
	Expect(w.secret("bot")).To(BeNil())
}

// longLife is that of a grant that ends by its own time.
const longLife = 24 * 24 * time.Hour

var crashStories = map[string]crashStory{
	"sign-in by password": {
		begin: func(w *world) { w.apply(clientInput(), loginInput(), byPassword("bot")) },
		end:   oneGrant, lost: anotherGrant,
	},
	"first use of a seed": {
		begin: func(w *world) { w.apply(clientInput(), w.seedInput(), bySeed("bot")) },
		end:   oneGrant, lost: aPerson,
	},
	"exchange of a code": {
		begin: func(w *world) { w.apply(clientInput(), w.codeInput(), byCode("bot")) },
		end:   oneGrant, lost: aPerson,
	},
	"first token of a guest": {
		begin: func(w *world) { w.apply(asGuest("bot")) },
		end:   anotherGrant, lost: anotherGrant,
	},
	"renewal of a sign-in": {
		begin: func(w *world) { due(w, byPassword("bot"), clientInput(), loginInput()) },
		end:   oneGrant, lost: anotherGrant,
	},
	"renewal of a seed": {
		begin: func(w *world) { due(w, bySeed("bot"), clientInput(), w.seedInput()) },
		end:   oneGrant, lost: aPerson,
	},
	"renewal with verification": {
		begin: func(w *world) {
			due(w, byPassword("bot", func(c *v1alpha1.SpacesCredential) {
				c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
			}), clientInput(), loginInput())
		},
		end: oneGrant, lost: anotherGrant,
	},
	"renewal of a grant that ends soon": {
		begin: func(w *world) {
			// The renewal is due at two thirds of 30 days, and the warning a moment later.
			w.spaces.SetTokenLifetime(longLife * 5 / 4)
			w.spaces.SetGrantLifetime(longLife)
			ready(w, bySeed("bot"), clientInput(), w.seedInput())
			w.step(longLife*6/7 + time.Minute)
		},
		end: func(w *world) {
			oneGrant(w)
			Expect(w.document("bot").Grant().End.IsWarned).To(BeTrue())
			Expect(strings.Count(w.events.text(), "The grant ends at")).To(BeNumerically("<=", 1))
		},
		lost: func(w *world) { // a late answer has a token that lives on, though its grant does not
			w.operator().settle("bot", longLife)
			aPerson(w)
		},
	},
	"fallback to the password": {
		begin: func(w *world) {
			due(w, byPassword("bot"), clientInput(), loginInput())
			w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		},
		end: oneGrant, lost: anotherGrant,
	},
	"new seed": {
		begin: func(w *world) {
			ready(w, bySeed("bot"), clientInput(), w.seedInput())
			w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		},
		end: oneGrant,
		// The old grant is kept.
		lost: func(w *world) {
			aPerson(w)
			w.expectReady("bot")
		},
	},
	"new code": {
		begin: func(w *world) {
			ready(w, byCode("bot"), clientInput(), w.codeInput())
			w.delete(w.secret("bot-code"))
			w.apply(w.codeInput())
		},
		end: oneGrant,
		lost: func(w *world) {
			aPerson(w)
			w.expectReady("bot")
		},
	},
	"another user": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.spaces.AddUser("second@example.test", password)
			w.put("bot-login", map[string]string{"username": "second@example.test"})
		},
		end: oneGrant, lost: anotherGrant,
	},
	"another client": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.spaces.AddClient("second-client", clientSecret)
			w.put("spaces-client", map[string]string{"client_id": "second-client"})
		},
		end: oneGrant, lost: anotherGrant,
	},
	"another environment": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			other := newWorldAt(w.clock)
			w.others = map[string]*world{"other": other}
			credential := w.credential("bot")
			credential.Spec.Environment = "other"
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
		},
		end: func(w *world) {
			other := w.others["other"]
			Expect(other.spaces.TokenWorks(w.token("bot"))).To(BeTrue())
			Expect(other.spaces.Ledger().GrantsLive).To(Equal(1))
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero(), "the grant of the old environment")
		},
		lost: func(w *world) { Expect(w.others["other"].spaces.TokenWorks(w.token("bot"))).To(BeTrue()) },
	},
	"adoption": {
		begin: func(w *world) {
			w.apply(clientInput(), loginInput(), &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "bot", Annotations: map[string]string{v1alpha1.AnnotationAdoptableBy: "bot"}},
				StringData: map[string]string{"theirs": "stays"},
			}, byPassword("bot"))
		},
		end: func(w *world) {
			oneGrant(w)
			Expect(string(w.secret("bot").Data["theirs"])).To(Equal("stays"))
		},
		lost: anotherGrant,
	},
	"repair": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.delete(w.secret("bot"))
		},
		end: func(w *world) {
			oneGrant(w)
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1+int(w.document("bot").Grant().Rotations)), "a token was minted for a repair")
		},
	},
	"renewal on request": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.ask(v1alpha1.AnnotationRenewRequestedAt)
		},
		end: func(w *world) {
			oneGrant(w)
			Expect(w.credential("bot").Status.LastHandledRenewRequest).To(Equal("now"))
			rotations := int(w.document("bot").Grant().Rotations)
			Expect(rotations).To(BeNumerically(">=", 1))
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1+rotations), "more tokens were minted than one for the request")
		},
		lost: anotherGrant,
	},
	"renewal for a workload that was refused": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.step(lifetime / 2)
			w.former.reconcile("bot")
			w.rejects("bot")
		},
		end: func(w *world) {
			oneGrant(w)
			rotations := int(w.document("bot").Grant().Rotations)
			Expect(rotations).To(BeNumerically(">=", 1))
			Expect(w.document("bot").HandledRejection()).NotTo(BeEmpty())
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1+rotations), "more tokens were minted than one for the workload")
		},
		lost: anotherGrant,
	},
	"revocation on request": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.ask(v1alpha1.AnnotationRevokeRequestedAt)
		},
		end: func(w *world) {
			oneGrant(w)
			Expect(w.credential("bot").Status.LastHandledRevokeRequest).To(Equal("now"))
			Expect(w.spaces.Ledger().GrantsRevoked).To(BeNumerically(">=", 1))
		},
		lost: anotherGrant,
	},
	"emergency stop": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.delete(w.secret("bot-grant"))
		},
		end: oneGrant, lost: anotherGrant,
	},
	"sign-in with a lent client": {
		begin: func(w *world) { w.apply(loginInput(), byPassword("bot", borrowing(w.lend()))) },
		end:   oneGrant, lost: anotherGrant,
	},
	"renewal with a lent client": {
		begin: func(w *world) { due(w, byPassword("bot", borrowing(w.lend())), loginInput()) },
		end:   oneGrant, lost: anotherGrant,
	},
	"withdrawal of a lent client": {
		begin: func(w *world) {
			shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true })
			ready(w, byPassword("bot", borrowing(shared)), loginInput())
			w.lends(shared, refusing)
		},
		end: func(w *world) {
			w.operator().settle("bot", grantstate.Withdrawal+time.Minute) // a story of two operators ends before
			w.expectForbidden("bot")
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
			Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		},
	},
	"deletion without the lent client": {
		begin: func(w *world) {
			w.spaces.SetAuthenticatedRevocation(true)
			shared := w.lend()
			ready(w, byPassword("bot", borrowing(shared)), loginInput())
			w.delete(shared)
			w.delete(w.credential("bot"))
		},
		end: nothingPublished,
	},
	"deletion": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.delete(w.credential("bot"))
		},
		end: nothingPublished,
	},
	"deletion of a seed without its inputs": {
		begin: func(w *world) {
			ready(w, bySeed("bot"), clientInput(), w.seedInput())
			w.delete(w.secret("seed"))
			w.delete(w.secret("spaces-client"))
			w.delete(w.credential("bot"))
		},
		end: nothingPublished,
	},
	"export": {
		begin: func(w *world) {
			w.allowsExport, w.importKey = true, newImportKey()
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.askExport("now", w.importKey.Public(), "")
		},
		end: moves,
	},
	"export of a grant whose renewal had no answer": {
		begin: func(w *world) {
			w.allowsExport, w.importKey = true, newImportKey()
			due(w, bySeed("bot"), clientInput(), w.seedInput())
			w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostBefore)
			w.former.reconcile("bot")
			w.askExport("now", w.importKey.Public(), "")
		},
		end: moves, lost: aPerson,
	},
	"export to another key": {
		begin: func(w *world) {
			w.allowsExport = true
			ready(w, bySeed("bot"), clientInput(), w.seedInput())
			_, lost := w.exportOf(w.former)
			w.former.reconcile("bot")
			w.importKey = newImportKey()
			w.askExport("again", w.importKey.Public(), lost.Public().ID())
		},
		end: moves,
	},
	"deletion after an export": {
		begin: func(w *world) {
			w.allowsExport, w.importKey = true, newImportKey()
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.askExport("now", w.importKey.Public(), "")
			w.former.reconcile("bot")
			grant := w.exported(w.importKey)
			w.elsewhereHas = w.elsewhere()
			w.elsewhereHas.apply(clientInput())
			w.elsewhereHas.takes(bySeed("bot"), grant)
			w.delete(w.credential("bot"))
		},
		end: func(w *world) {
			Expect(w.exists("bot")).To(BeFalse())
			Expect(w.stateExists("bot")).To(BeFalse())
			Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero(), "what was exported is revoked")
			w.elsewhereHas.operator().settle("bot", lifetime)
			w.elsewhereHas.expectReady("bot")
			w.expectNothingSentAgain()
		},
	},
	"import": {
		begin: func(w *world) {
			w.apply(clientInput(), loginInput(), byPassword("bot"))
			w.putImport(w.aGrant())
		},
		end: func(w *world) {
			oneGrant(w)
			Expect(w.credential("bot").Status.Grant.ImportID).NotTo(BeEmpty())
			Expect(w.calls(fakespaces.OperationPassword)).To(BeZero(), "it signed in beside an import")
		},
		// It is told, and stands in the way; or its answer came after all, and the password follows the
		// grant that the service has ended meanwhile.
		lost: func(w *world) {
			if !meta.IsStatusConditionTrue(w.credential("bot").Status.Conditions, v1alpha1.ConditionStalled) {
				w.expectReady("bot")
				return
			}
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		},
	},
	"import in place of a living grant": {
		begin: func(w *world) {
			ready(w, bySeed("bot"), clientInput(), w.seedInput())
			w.putImport(w.aGrant())
		},
		end: oneGrant,
		// The old grant is kept.
		lost: func(w *world) {
			aPerson(w)
			w.expectReady("bot")
		},
	},
	"a torn off finalizer": {
		begin: func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.vanish("bot")
		},
		end: nothingLeft,
	},
}
