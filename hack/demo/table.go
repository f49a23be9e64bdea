package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// refreshInterval is how often the display looks again.
const refreshInterval = 500 * time.Millisecond

// freshness is for how long a new fingerprint is marked.
const freshness = 2 * time.Second

// The control sequences of ECMA-48 that the table needs.
const (
	clearScreen = "\x1b[2J"
	toTopLeft   = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// progress tells of steps, and how long they took.
type progress struct {
	out   io.Writer
	began time.Time
}

// step runs one step.
func (p *progress) step(name string, run func() error) error {
	began := time.Now()
	_, _ = fmt.Fprintf(p.out, "%5.1fs  %s ...", time.Since(p.began).Seconds(), name)
	err := run()
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	_, _ = fmt.Fprintf(p.out, " %s in %.1fs\n", outcome, time.Since(began).Seconds())
	return err
}

// display shows the credentials: on a terminal as a table that is drawn anew, else
// as a line for each change.
type display struct {
	*demonstration
	out      io.Writer
	terminal bool
	began    time.Time
	ends     time.Time // zero when only Ctrl-C ends it
	seen     map[string]sighting
	told     time.Time // when what was told last was done
}

// sighting is what was last seen of a credential.
type sighting struct {
	ready, reason, fingerprint string
	since                      time.Time // of the fingerprint
}

func newDisplay(of *demonstration, ends time.Time) *display {
	info, err := os.Stdout.Stat()
	return &display{
		demonstration: of,
		out:           os.Stdout,
		terminal:      err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb",
		began:         of.progress.began,
		ends:          ends,
		seen:          map[string]sighting{},
	}
}

// run shows until ctx ends.
func (d *display) run(ctx context.Context) {
	if d.terminal {
		_, _ = io.WriteString(d.out, clearScreen)
	} else {
		_, _ = fmt.Fprintln(d.out, "look inside:", d.kubectl(), "get spcred,secrets")
		_, _ = fmt.Fprintln(d.out, "sign in:    ", d.login())
	}
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for {
		found := &v1alpha1.SpacesCredentialList{}
		if err := d.cluster.List(ctx, found, client.InNamespace(namespace)); err == nil {
			d.show(found.Items, time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (d *display) show(credentials []v1alpha1.SpacesCredential, now time.Time) {
	var changed []string
	for i := range credentials {
		name, before := credentials[i].Name, d.seen[credentials[i].Name]
		after := sightingOf(&credentials[i], before, now)
		if d.seen[name] = after; after != before {
			changed = append(changed, d.line(&credentials[i], after, now))
		}
	}
	what, at := d.deeds.last()
	if d.terminal {
		drawn := strings.ReplaceAll(d.table(credentials, now), "\n", clearLine+"\n")
		_, _ = io.WriteString(d.out, toTopLeft+drawn+clearBelow)
		return
	}
	if at != d.told {
		d.told = at
		_, _ = fmt.Fprintf(d.out, "%5.1fs  the demo %s\n", at.Sub(d.began).Seconds(), what)
	}
	for _, line := range changed {
		_, _ = fmt.Fprintln(d.out, line)
	}
}

func sightingOf(credential *v1alpha1.SpacesCredential, before sighting, now time.Time) sighting {
	after := sighting{ready: "-", reason: "-", fingerprint: "-", since: before.since}
	if ready := meta.FindStatusCondition(credential.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		after.ready, after.reason = string(ready.Status), ready.Reason
	}
	if token := credential.Status.Token; token != nil {
		after.fingerprint = token.Fingerprint
	}
	if after.fingerprint != before.fingerprint {
		after.since = now
	}
	return after
}

// line tells of one credential without a terminal.
func (d *display) line(credential *v1alpha1.SpacesCredential, s sighting, now time.Time) string {
	renews, expires := timesOf(credential, now)
	return fmt.Sprintf("%5.1fs  %-12s  ready=%s reason=%s token=%s renews-in=%s expires-in=%s",
		now.Sub(d.began).Seconds(), credential.Name, s.ready, s.reason, s.fingerprint, renews, expires)
}

// table draws everything. It is at most 79 columns wide but for the last lines.
func (d *display) table(credentials []v1alpha1.SpacesCredential, now time.Time) string {
	var drawn bytes.Buffer
	_, _ = fmt.Fprintf(&drawn, "SpacesCredential operator, tokens of %s, %s\n\n", tokenLifetime, d.timeLeft(now))
	rows := tabwriter.NewWriter(&drawn, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(rows, "NAME\tREADY\tREASON\tTOKEN\tRENEWS\tEXPIRES\tCHECKS")
	for i := range credentials {
		credential := &credentials[i]
		s := d.seen[credential.Name]
		renews, expires := timesOf(credential, now)
		mark := " "
		if s.fingerprint != "-" && now.Sub(s.since) < freshness {
			mark = "*"
		}
		_, _ = fmt.Fprintf(rows, "%s\t%s\t%s\t%s%s\t%s\t%s\t%d\n", credential.Name, s.ready, s.reason, s.fingerprint, mark,
			renews, expires, d.checks.passedBy(credential.EffectiveSecretName()))
	}
	_ = rows.Flush()
	ledger, checked := d.service.Ledger(), d.checks.count()
	_, _ = fmt.Fprintf(&drawn, "\n* new. The service has issued %d tokens and holds %d grants; %d checks, %d failed.\n",
		ledger.TokensIssued, ledger.GrantsLive, checked.made, checked.failed)
	if what, at := d.deeds.last(); what != "" {
		_, _ = fmt.Fprintf(&drawn, "  %.0fs ago the demo %s.\n", now.Sub(at).Seconds(), what)
	}
	_, _ = fmt.Fprintf(&drawn, "\nlook inside: %s get spcred,secrets\nlog:         %s\nsign in:     %s\n", d.kubectl(), d.program.Path(operatorLog), d.login())
	return drawn.String()
}

// kubectl is the beginning of a command line that looks inside.
func (d *display) kubectl() string {
	command := filepath.Join(d.plane.Assets, "kubectl") // make demo builds none; make test does
	if _, err := os.Stat(command); err != nil {
		command = "kubectl"
	}
	return command + " --kubeconfig " + d.kubeconfig + " -n " + namespace
}

// login is how whoever watches can sign in with a browser of their own.
func (d *display) login() string {
	for _, sample := range d.samples.credentials {
		if sample.Spec.GrantType == v1alpha1.GrantTypeAuthorizationCode {
			return fmt.Sprintf("go run ./cmd/kubectl-spaces --kubeconfig %s -n %s login %s (as %s, password %s)",
				d.kubeconfig, namespace, sample.Name, person, personPassword)
		}
	}
	return "no sample signs in with a browser"
}

func (d *display) timeLeft(now time.Time) string {
	if d.ends.IsZero() {
		return "Ctrl-C ends it"
	}
	return fmt.Sprintf("ends in %.0fs, or with Ctrl-C", max(0, d.ends.Sub(now).Seconds()))
}

// timesOf tells in how many seconds the token of a credential renews and expires.
func timesOf(credential *v1alpha1.SpacesCredential, now time.Time) (renews, expires string) {
	token := credential.Status.Token
	if token == nil {
		return "-", "-"
	}
	return inSeconds(token.RenewalTime, now), inSeconds(token.ExpirationTime, now)
}

func inSeconds(at *metav1.Time, now time.Time) string {
	if at == nil {
		return "-"
	}
	return fmt.Sprintf("%.0fs", at.Sub(now).Seconds())
}
