package gate

import (
	"cmp"
	"slices"
	"time"
)

// Endpoint is one of the two hosts of an environment.
type Endpoint string

const (
	// Accounts is the host that gives and revokes tokens.
	Accounts Endpoint = "accounts"
	// API is the host that tokens are good for.
	API Endpoint = "api"
)

// Standing is how an endpoint of an environment stands at a moment. Environments that share a
// host share all of it but who waits.
type Standing struct {
	Environment string
	Endpoint    Endpoint
	// Waiting counts the calls to it that wait for their turn.
	Waiting int
	// IsPaused tells that nothing is to go there; whoever asks for a call looks after that.
	IsPaused bool
	// IsDown tells that only probes go there.
	IsDown bool
	// IsHeld tells that the service asked all callers for patience; HeldNamespaces are those of
	// which it asked it apart, sorted.
	IsHeld         bool
	HeldNamespaces []string
}

// Standings tell how every endpoint of every environment stands.
func (g *Gates) Standings() []Standing {
	g.mu.Lock()
	defer g.unlock()
	now := g.clock.Now()
	type queue struct {
		environment string
		host        *host
	}
	waiting := map[queue]int{}
	for _, places := range g.places {
		for _, p := range places {
			if p.standing == waits {
				waiting[queue{p.environment, p.host}]++
			}
		}
	}
	var all []Standing
	for _, e := range g.environments {
		for endpoint, address := range map[Endpoint]string{Accounts: e.AccountsURL, API: e.APIURL} {
			h := g.host(HostOf(address), e)
			s := Standing{
				Environment: e.Name, Endpoint: endpoint, Waiting: waiting[queue{e.Name, h}],
				IsPaused: e.Paused, IsDown: h.outage.isDown, IsHeld: h.patience.host.stands(now),
			}
			for name, n := range h.namespaces {
				if n.held.stands(now) {
					s.HeldNamespaces = append(s.HeldNamespaces, name)
				}
			}
			slices.Sort(s.HeldNamespaces)
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return all
}

// OnWaited sets what is told how long each turn was waited for, by the environment of the call.
func (g *Gates) OnWaited(tell func(environment string, waited time.Duration)) {
	g.mu.Lock()
	defer g.unlock()
	g.waited = tell
}
