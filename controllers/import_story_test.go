package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// aGrant is what another cluster exported.
func (w *world) aGrant() transfer.Grant {
	GinkgoHelper()
	return transfer.Grant{
		Source: transfer.Source{Namespace: "far", Name: "bot", CredentialUID: "far-uid", GrantType: v1alpha1.GrantTypePassword},
		ID:     "0123456789abcdef01234567", Environment: "production", AccountsURL: w.server.URL, ClientID: clientID, Scope: "spaces",
		RefreshToken: spacesauth.NewSecret(w.spaces.IssueGrant(clientID, username, "email", "spaces")),
		Username:     username, StartTime: w.clock.Now().Add(-50 * time.Hour), ExportTime: w.clock.Now(),
	}
}

var _ = Describe("A grant that is imported", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		w.apply(clientInput())
	})

	It("it begins when it began at the source, and is renewed at once", func() {
		grant := w.aGrant()
		o := w.takes(bySeed("bot"), grant)
		Expect(w.credential("bot").Status.Grant.StartTime.Time).To(BeTemporally("==", grant.StartTime))
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		o.settle("bot", 3*lifetime)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("it is used once, though its Secret stays, and by no process a second time", func() {
		o := w.takes(byPassword("bot"), w.aGrant())
		w.apply(loginInput())
		o.settle("bot", 3*lifetime)
		w.operator().settle("bot", 3*lifetime)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(BeZero())
		w.delete(w.secret("bot-grant"))
		w.operator().settle("bot", lifetime)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1), "the import of before stands for nothing after an emergency stop")
		w.expectNothingLost()
	})

	It("a seed beside it is not sent: it was used where the grant came from", func() {
		w.apply(w.seedInput())
		o := w.takes(bySeed("bot"), w.aGrant())
		w.delete(w.secret("bot-import"))
		o.settle("bot", 3*lifetime)
		w.operator().settle("bot", lifetime)
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(2), "the seed's is untouched")
		w.expectNothingLost()
	})

	It("a seed that comes later is used when the imported grant has ended, and not before", func() {
		o := w.takes(bySeed("bot"), w.aGrant())
		w.apply(w.seedInput())
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Grant.ImportID).NotTo(BeEmpty())
		w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Grant.ImportID).To(BeEmpty())
		w.expectNothingSentAgain()
	})

	It("it takes the place of a living grant, which is revoked as after a new seed", func() {
		ready(w, byPassword("bot"), loginInput())
		w.putImport(w.aGrant())
		w.former.settle("bot", 10*time.Minute)
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Grant.ImportID).NotTo(BeEmpty())
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		w.expectNothingLost()
	})

	It("one that the service refuses is told, and the living grant goes on", func() {
		ready(w, byPassword("bot"), loginInput())
		grant := w.aGrant()
		w.spaces.RevokeGrantOf(grant.RefreshToken.Reveal())
		w.putImport(grant)
		w.former.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		Expect(w.said(v1alpha1.ConditionStalled)).To(ContainSubstring(`imported by Secret "bot-import"`))
		w.delete(w.secret("bot-import"))
		w.former.settle("bot", lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.spaces.Ledger().GrantsRevoked).To(BeZero())
		w.expectNothingSentAgain()
	})

	It("one whose answer is lost is sent again until there is one, also when its Secret is gone", func() {
		w.apply(bySeed("bot"))
		w.putImport(w.aGrant())
		o := w.operator()
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostBefore)
		o.reconcile("bot")
		w.delete(w.secret("bot-import"))
		w.operator().settle("bot", 2*time.Minute)
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Grant.ImportID).NotTo(BeEmpty())
		w.expectNothingLost()
	})

	It("one that is on its way when the credential is deleted is revoked: it is the importer's", func() {
		w.apply(bySeed("bot"))
		w.putImport(w.aGrant())
		o := w.operator()
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostBefore)
		o.reconcile("bot")
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	DescribeTable("one that cannot be the credential's is refused before anything is sent, and told; a seed beside it is not sent either",
		func(change func(w *world, g *transfer.Grant), reason, why string) {
			w.apply(w.seedInput(), bySeed("bot"))
			grant := w.aGrant()
			change(w, &grant)
			w.putImport(grant)
			o := w.operator()
			o.settle("bot", lifetime)
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, reason)
			Expect(w.said(v1alpha1.ConditionStalled)).To(ContainSubstring(why))
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			w.delete(w.secret("bot-import"))
			o.settle("bot", time.Minute)
			w.expectReady("bot")
		},
		Entry("of another environment", func(_ *world, g *transfer.Grant) { g.AccountsURL = "https://accounts.example.test" }, v1alpha1.ReasonInputInvalid, "belongs to another environment"),
		Entry("of another client", func(_ *world, g *transfer.Grant) { g.ClientID = "second-client" }, v1alpha1.ReasonInputInvalid, "belongs to another client"),
		Entry("of no client", func(_ *world, g *transfer.Grant) { g.ClientID = "" }, v1alpha1.ReasonInputInvalid, "the grant is not whole"),
	)

	It("with a lent client it is taken only where grant type RefreshToken is allowed", func() {
		shared := w.lend()
		w.apply(byPassword("bot", borrowing(shared)))
		w.putImport(w.aGrant())
		o := w.operator()
		o.settle("bot", time.Minute)
		w.expectForbidden("bot")
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
		w.lends(shared, func(s *v1alpha1.ClusterSpacesClientSpec) {
			s.AllowedGrantTypes = append(s.AllowedGrantTypes, v1alpha1.GrantTypeRefreshToken)
		})
		o.settle("bot", slowRecheck+time.Minute)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a copy of its Secret is not taken by an object with another UID, whatever comes first", func() {
		o := w.takes(bySeed("bot"), w.aGrant())
		copied := w.secret("bot-import")
		clone := w.elsewhere()
		copied.ObjectMeta = metav1.ObjectMeta{Name: copied.Name, Annotations: copied.Annotations}
		clone.apply(clientInput(), copied, bySeed("bot"))
		there := clone.operator()
		there.settle("bot", lifetime)
		clone.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForInput)
		o.settle("bot", lifetime)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a guest takes none", func() {
		w.apply(asGuest("bot"))
		w.putImport(w.aGrant())
		w.operator().settle("bot", lifetime)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(BeZero())
	})

	It("what was imported can be exported again", func() {
		w.allowsExport = true
		o := w.takes(bySeed("bot"), w.aGrant())
		grant, key := w.exportOf(o)
		Expect(grant.ID).NotTo(Equal(w.credential("bot").Status.Grant.ImportID))
		w.expectMoves(key)
		w.expectNothingLost()
	})

	It("a grant that comes back to where it was exported from lives there again", func() {
		w.allowsExport = true
		ready(w, byPassword("bot"), loginInput())
		grant, _ := w.exportOf(w.former)
		other := w.elsewhere()
		other.allowsExport = true
		other.apply(clientInput())
		back, _ := other.exportOf(other.takes(bySeed("bot"), grant))
		w.putImport(back)
		w.former.settle("bot", 3*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		w.expectNothingLost()
	})
})
