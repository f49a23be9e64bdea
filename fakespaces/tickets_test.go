package fakespaces_test

import (
	"slices"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestAConsentPageIsAnsweredOnce(t *testing.T) {
	for sentence, c := range map[string]struct {
		give   func(w *world, ticket string) string
		works  bool
		wanted string
	}{
		"in time":                             {func(w *world, ticket string) string { w.pass(10*time.Minute - 1); return ticket }, true, "allow"},
		"too late":                            {func(w *world, ticket string) string { w.pass(10 * time.Minute); return ticket }, false, "allow"},
		"a second time, after it was allowed": {func(w *world, ticket string) string { w.decide(ticket, "allow"); return ticket }, false, "allow"},
		"a second time, after it was denied":  {func(w *world, ticket string) string { w.decide(ticket, "deny"); return ticket }, false, "allow"},
		"denied, after it was allowed":        {func(w *world, ticket string) string { w.decide(ticket, "allow"); return ticket }, false, "deny"},
		"with the ticket of another service":  {func(*world, string) string { return newWorld(t).ticket(asking()) }, false, "allow"},
		"without a ticket":                    {func(*world, string) string { return "" }, false, "allow"},
		"without a decision":                  {func(_ *world, ticket string) string { return ticket }, false, ""},
		"after a call without a decision":     {func(w *world, ticket string) string { w.decide(ticket, "x"); return ticket }, true, "allow"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			ticket := c.give(w, w.ticket(asking()))
			got := w.decide(ticket, c.wanted)
			if c.works {
				w.expectStatus(got, 303)
				return
			}
			w.expectPage(got, 400, `role="alert"`)
			equal(t, "the ticket is a secret", slices.Contains(w.Secrets(), ticket), ticket != "")
		})
	}
}

func TestEachFaultOfAConsentDoesItsWorkOrNot(t *testing.T) {
	for _, fault := range fakespaces.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, fakespaces.WithStall(time.Millisecond))
			ticket := w.ticket(asking())
			w.Next(fakespaces.OperationAuthorize, fault)
			w.decide(ticket, "allow")
			again := w.decide(ticket, "allow")
			equal(t, "the ticket is used", again.status == 400, fault.DoesWork())
		})
	}
}

func TestAFaultOfAPageLeavesNoTicketOrAWholePage(t *testing.T) {
	w := newWorld(t)
	w.Next(fakespaces.OperationAuthorize, fakespaces.FaultServerError500, fakespaces.FaultHugeBody, fakespaces.FaultTruncatedJSON)
	w.expectStatus(w.enter(asking(), bot, botSecret), 500)
	equal(t, "nothing to pad", ticketOf.MatchString(w.enter(asking(), bot, botSecret).body), true)
	equal(t, "a page breaks off", ticketOf.MatchString(w.enter(asking(), bot, botSecret).body), false)
}
