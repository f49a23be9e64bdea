package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const (
	// checkInterval makes each check stand for a second.
	checkInterval = time.Second
	// keepInterval is how often the words of the cluster are kept: more often than a
	// deleted namespace takes them away.
	keepInterval = 5 * time.Second
	// rounding is what expires_at may be late: whole seconds, and a lifetime that was told
	// with a fraction.
	rounding = 1500 * time.Millisecond
)

const (
	// needed is how long a credential may take to get a token once the service and the API
	// server are there: the longest pause between two probes, and takenOver.
	needed = time.Minute + takenOver
	// takenOver is how long an operator needs in peace to do the work of one that was
	// interrupted: a lease that has to run out, a claim that it has to watch, and short
	// absences of the API server with a pause after each. Whenever a holder of the lease
	// is interrupted it begins anew.
	takenOver = 15*time.Second + callTimeout + 15*time.Second + 20*time.Second
)

// toldFile keeps what the cluster says in status and events, and the operators in their
// metrics, to be searched for secrets.
const toldFile = "status-events-and-metrics.log"

// checks do what a workload does, all the time: take the token from the published Secret
// and see whether it works.
type checks struct {
	cluster    *cluster
	service    *service
	processes  *processes
	population *population
	say        func(string, ...any)

	mutex   sync.Mutex
	made    int
	dead    int // did not work before their time, without a reason
	excused int // did not work before their time, because their grant was ended
	expired int // were past their time
	late    int // were past their time, and nothing that the soak did explains it
	unread  int // could not be made: there was no API server to read from
	// scraped counts the readings of an operator's metrics.
	scraped int
	// complained remembers the tokens that were told of.
	complained map[string]bool
	told       *os.File
	seen       map[string]bool // resourceVersions, and series of metrics
}

func newChecks(s *soak) *checks {
	return &checks{cluster: s.cluster, service: s.service, processes: s.processes, population: s.population, say: s.Say,
		complained: map[string]bool{}, seen: map[string]bool{}}
}

func (c *checks) open(path string) (err error) {
	c.told, err = os.Create(path)
	return err
}

func (c *checks) close() error {
	if c.told == nil {
		return errors.New("no words of the cluster were kept")
	}
	return c.told.Close()
}

func (c *checks) run(ctx context.Context) {
	kept := time.Now()
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.checkAll(ctx)
		if time.Since(kept) > keepInterval && c.keep(ctx) == nil {
			kept = time.Now()
		}
	}
}

// checkAll tries the token of every published Secret once.
func (c *checks) checkAll(ctx context.Context) {
	var all corev1.SecretList
	if err := c.cluster.List(ctx, &all, client.MatchingLabels{v1alpha1.LabelSecret: v1alpha1.SecretPublished}); err != nil {
		c.countUnread() // no token was read, so none can have failed
		return
	}
	residents := c.population.living()
	for i := range all.Items {
		c.check(ctx, &all.Items[i], residents)
	}
}

func (c *checks) check(ctx context.Context, secret *corev1.Secret, residents map[types.NamespacedName]*resident) {
	owner := residents[types.NamespacedName{Namespace: secret.Namespace, Name: secret.Annotations[v1alpha1.AnnotationCredential]}]
	token := string(secret.Data[v1alpha1.KeyAccessToken])
	expiresAt, err := time.Parse(time.RFC3339, string(secret.Data[v1alpha1.KeyExpiresAt]))
	if owner == nil || token == "" || err != nil {
		return // on its way out, or emptied after a revocation
	}
	works, now := c.service.TokenWorks(token), time.Now()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.made++
	switch {
	case now.After(expiresAt):
		c.expired++
		if c.due(owner, expiresAt, now) {
			c.late++
			c.complain(token, fmt.Sprintf("the token of %s (%s) has not worked since %s", owner, owner.grant, expiresAt.Format(time.RFC3339)))
		}
	case works, now.Add(rounding).After(expiresAt):
	default:
		replaced, err := c.replaced(ctx, secret)
		switch {
		case err != nil:
			c.unread++ // whether it is still published is not known, and found out in a second
		case replaced: // its successor is tried in a second
		case c.endedFor(owner, expiresAt, now):
			c.excused++
		default:
			c.dead++
			c.complain(token, fmt.Sprintf("the token of %s (%s) does not work, though it should until %s", owner, owner.grant, expiresAt.Format(time.RFC3339)))
		}
	}
}

func (c *checks) countUnread() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.unread++
}

// complain tells of a token once.
func (c *checks) complain(token, what string) {
	if !c.complained[token] {
		c.complained[token] = true
		c.say("%s", what)
	}
}

// due tells whether a token that is past its time should have been replaced by now.
func (c *checks) due(owner *resident, expiresAt, now time.Time) bool {
	busy := false
	c.population.note(func() { busy = owner.busy || now.Sub(owner.calm) < needed })
	there := min(c.service.upFor(now), c.cluster.apiServer.steadyFor(now), now.Sub(expiresAt)) > needed
	return !busy && there && c.processes.steadyFor(now) > takenOver && !c.endedFor(owner, expiresAt, now)
}

// replaced tells whether a Secret is not as it was read any more.
func (c *checks) replaced(ctx context.Context, secret *corev1.Secret) (bool, error) {
	now := &corev1.Secret{}
	if err := client.IgnoreNotFound(c.cluster.Get(ctx, client.ObjectKeyFromObject(secret), now)); err != nil {
		return false, err
	}
	return now.ResourceVersion != secret.ResourceVersion, nil // which is empty where it is gone
}

// endedFor tells whether a token of a resident was ended by a deed, or died with its
// grant because a lost answer was asked for again.
func (c *checks) endedFor(owner *resident, expiresAt, now time.Time) bool {
	hurt := false
	c.population.note(func() { hurt = now.Sub(owner.hurt) < memory || owner.left })
	if hurt {
		return true
	}
	issued := expiresAt.Add(-max(tokenLifetime, guestLifetime))
	for _, grant := range c.service.Ledger().Grants {
		if grant.User == owner.user && grant.State == fakespaces.GrantDead && grant.EndedAt.After(issued) {
			return true
		}
	}
	return false
}

// keep writes down every status, event and series of metrics that has not been written
// down yet.
func (c *checks) keep(ctx context.Context) error {
	var credentials v1alpha1.SpacesCredentialList
	var events eventsv1.EventList
	if err := errors.Join(c.cluster.List(ctx, &credentials), c.cluster.List(ctx, &events)); err != nil {
		return err
	}
	var series []string
	scraped := 0
	for _, address := range c.processes.metrics {
		read, err := scrape(ctx, address)
		if err != nil {
			continue // it is frozen, or about to be started again
		}
		scraped++
		series = append(series, read...)
	}
	var words bytes.Buffer
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.scraped += scraped
	for i := range credentials.Items {
		credential := &credentials.Items[i]
		c.write(&words, credential.ResourceVersion, struct {
			Status      v1alpha1.SpacesCredentialStatus
			Annotations map[string]string
		}{credential.Status, credential.Annotations})
	}
	for i := range events.Items {
		c.write(&words, events.Items[i].ResourceVersion, events.Items[i])
	}
	for _, one := range series {
		c.write(&words, one, one)
	}
	_, err := c.told.Write(words.Bytes())
	return err
}

// write writes down once what goes by a key.
func (c *checks) write(to *bytes.Buffer, key string, what any) {
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	line, err := json.Marshal(what)
	if err == nil {
		to.Write(append(line, '\n'))
	}
}
