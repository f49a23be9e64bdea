package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"

	operatormetrics "github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/periodic"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// reloadInterval is how often it is looked whether the environments file, or a CA file that it
// names, has changed. A mounted ConfigMap follows within a minute or two anyway.
const reloadInterval = 10 * time.Second

// environments are the clients of the environments that the operator knows. Every replica reads
// the file again when it changes, so that whoever takes over knows the same.
type environments struct {
	settings *settings
	log      logr.Logger
	metrics  *operatormetrics.Metrics
	skews    *skews
	// apply has the loop work with other clients from now on.
	apply func(context.Context, map[string]*spacesauth.Client)

	clients map[string]*spacesauth.Client
	// digests are those of what the clients were made of.
	digests map[string][sha256.Size]byte
	refused string // what was said of the file last, empty if it is in force
}

// loadEnvironments reads the file and makes the clients.
func (s *settings) loadEnvironments() (*environments, error) {
	e := &environments{settings: s}
	var err error
	e.clients, e.digests, err = e.read()
	return e, err
}

// read makes a client for each environment, but for those that are what they were: their
// connections go on.
func (e *environments) read() (map[string]*spacesauth.Client, map[string][sha256.Size]byte, error) {
	known, err := spacesauth.LoadEnvironments(e.settings.environmentsFile)
	if err != nil {
		return nil, nil, err
	}
	clients, digests := map[string]*spacesauth.Client{}, map[string][sha256.Size]byte{}
	for _, name := range known.Names() {
		environment := known[name]
		if needed := environment.Timeout() + graceMargin; needed > e.settings.gracefulShutdownTimeout {
			return nil, nil, fmt.Errorf("environment %q: timeoutSeconds plus 10 s is more than --graceful-shutdown-timeout %s", name, e.settings.gracefulShutdownTimeout)
		}
		// Before the client is made: if the CA file changes in between, the next look sees it.
		digests[name] = digestOf(environment)
		if same := e.clients[name]; same != nil && digests[name] == e.digests[name] {
			clients[name] = same
			continue
		}
		clients[name], err = spacesauth.New(environment,
			spacesauth.WithDefaultLifetime(e.settings.defaultTokenLifetime), spacesauth.WithUserAgent("spaces-credential-operator/"+version),
			spacesauth.WithSkew(func(skew time.Duration) { e.skewed(name, skew) }))
		if err != nil {
			return nil, nil, fmt.Errorf("environment %q: %w", name, err)
		}
	}
	return clients, digests, nil
}

// skewed tells of the clock of a service, once there is somebody to tell.
func (e *environments) skewed(name string, skew time.Duration) {
	if e.metrics != nil {
		e.metrics.Skewed(name, skew)
		e.skews.heard(name, skew)
	}
}

// digestOf tells whether a client has to be made anew.
func digestOf(environment spacesauth.Environment) [sha256.Size]byte {
	entry, _ := json.Marshal(environment) // of strings and numbers, which does not fail
	if environment.CAFile != "" {
		authorities, _ := os.ReadFile(environment.CAFile) // what is wrong with it is found when a client is made
		entry = append(entry, authorities...)
	}
	return sha256.Sum256(entry)
}

// Start implements manager.Runnable.
func (e *environments) Start(ctx context.Context) error {
	return periodic.Run(ctx, e.settings.clock, reloadInterval, e.look)
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: a replica that stands by must know
// the environments when it takes over.
func (e *environments) NeedLeaderElection() bool { return false }

// look takes over what changed. What a start would refuse changes nothing.
func (e *environments) look(ctx context.Context) {
	clients, digests, err := e.read()
	e.metrics.EnvironmentsRefused(err != nil)
	switch {
	case err != nil && err.Error() == e.refused:
		return
	case err != nil:
		e.refused = err.Error()
		e.log.Error(err, "The environments file changed and cannot be used; the environments read before stay in force")
		return
	case e.refused != "":
		e.refused = ""
		e.log.Info("The environments file can be used again")
	}
	changed := len(digests) != len(e.digests)
	for name, digest := range digests {
		changed = changed || digest != e.digests[name]
	}
	if !changed {
		return
	}
	before := e.clients
	e.clients, e.digests = clients, digests
	e.apply(ctx, clients)
	for name, old := range before { // calls under way keep theirs
		if clients[name] != old {
			old.CloseIdleConnections()
		}
	}
	e.log.Info("The environments file, or a CA file that it names, changed and was read again", "environments", len(clients))
}
