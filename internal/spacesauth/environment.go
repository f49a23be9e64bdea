package spacesauth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Defaults of an environment.
const (
	DefaultRequestsPerSecond = 20
	DefaultBurst             = 40
	DefaultTimeoutSeconds    = 15
)

// maxTimeoutSeconds is far above what any call needs.
const maxTimeoutSeconds = 600

// Environment is a place where the service runs: a pair of hosts that belong
// together, and how to reach them. Its members are those of the environments file.
type Environment struct {
	// Name is what spec.environment names.
	Name string `json:"name"`
	// AccountsURL is the host that issues and revokes tokens.
	AccountsURL string `json:"accountsURL,omitempty"`
	// APIURL is the host that workloads call with the token.
	APIURL string `json:"apiURL,omitempty"`
	// SocketURL is the Socket.IO host; may be empty.
	SocketURL string `json:"socketURL,omitempty"`
	// CAFile holds PEM certificates trusted beside the system's.
	CAFile string `json:"caFile,omitempty"`
	// ProxyURL is the proxy for the calls; empty means the usual proxy variables.
	// Its user info is a secret.
	ProxyURL string `json:"proxyURL,omitempty"`
	// Namespaces lists who may use the environment; empty means all.
	Namespaces []string `json:"namespaces,omitempty"`
	// RequestsPerSecond and Burst are the token bucket of all calls.
	RequestsPerSecond float64 `json:"requestsPerSecond,omitempty"`
	Burst             int     `json:"burst,omitempty"`
	// TimeoutSeconds bounds one call.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
	// GrantLifetimeSeconds is how long grants live there, where answers tell nothing of it; 0 is unknown.
	GrantLifetimeSeconds int `json:"grantLifetimeSeconds,omitempty"`
	// Paused has nothing sent there.
	Paused bool `json:"paused,omitempty"`
}

// Timeout bounds one call, from its first byte to the last of the answer.
func (e Environment) Timeout() time.Duration { return time.Duration(e.TimeoutSeconds) * time.Second }

// GrantLifetime is how long grants live, 0 where that is not known.
func (e Environment) GrantLifetime() time.Duration {
	return time.Duration(e.GrantLifetimeSeconds) * time.Second
}

// AuthorizationEndpoint is where a sign-in by browser begins, RFC 6749 §3.1.
func (e Environment) AuthorizationEndpoint() string { return e.AccountsURL + authorizePath }

// Allows tells whether credentials of namespace may use the environment.
func (e Environment) Allows(namespace string) bool {
	return len(e.Namespaces) == 0 || slices.Contains(e.Namespaces, namespace)
}

// validName is what spec.environment can name: a DNS label (RFC 1123 §2.1).
var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// validate says what is wrong with the entry, never repeating the proxy URL.
func (e Environment) validate() error {
	switch {
	case e.Name == "":
		return fmt.Errorf("an entry has no name")
	case !validName.MatchString(e.Name):
		return fmt.Errorf("environment %q: a name has up to 63 lower-case letters, digits and '-', and begins and ends with a letter or digit", e.Name)
	case e.AccountsURL == "" || e.APIURL == "":
		return fmt.Errorf("environment %q: accountsURL and apiURL are required", e.Name)
	case e.RequestsPerSecond <= 0, e.Burst <= 0, e.TimeoutSeconds <= 0:
		return fmt.Errorf("environment %q: requestsPerSecond, burst and timeoutSeconds must be greater than 0", e.Name)
	case e.GrantLifetimeSeconds < 0, e.GrantLifetimeSeconds > int(maxLifetime/time.Second):
		return fmt.Errorf("environment %q: grantLifetimeSeconds must be at least 0 and at most %d", e.Name, int(maxLifetime/time.Second))
	case e.TimeoutSeconds > maxTimeoutSeconds:
		return fmt.Errorf("environment %q: timeoutSeconds must be at most %d", e.Name, maxTimeoutSeconds)
	}
	if err := validateURL(e.AccountsURL, "https", "http"); err != nil {
		return fmt.Errorf("environment %q: accountsURL %w", e.Name, err)
	}
	if err := validateURL(e.APIURL, "https", "http"); err != nil {
		return fmt.Errorf("environment %q: apiURL %w", e.Name, err)
	}
	if e.SocketURL != "" {
		if err := validateURL(e.SocketURL, "wss", "ws"); err != nil {
			return fmt.Errorf("environment %q: socketURL %w", e.Name, err)
		}
	}
	if _, err := proxyFor(e); err != nil {
		return err
	}
	return nil
}

// validateURL accepts the TLS scheme, and the plain one for loopback hosts alone.
func validateURL(value, secure, plain string) error {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Hostname() == "" || parsed.User != nil || strings.ContainsAny(value, "?#") {
		return fmt.Errorf("must be an absolute URL of scheme %s without user info, query or fragment", secure)
	}
	switch {
	case parsed.Scheme == secure, parsed.Scheme == plain && isLoopback(parsed.Hostname()):
		return nil
	case parsed.Scheme == plain:
		return fmt.Errorf("must use %s: %s is for loopback hosts only", secure, plain)
	}
	return fmt.Errorf("must use the scheme %s", secure)
}

// isLoopback tells whether host is this machine (RFC 6890 and RFC 6761 §6.3).
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// proxyFor returns the proxy function of an environment. A loopback host is never
// reached through a proxy.
func proxyFor(e Environment) (func(*http.Request) (*url.URL, error), error) {
	proxy := http.ProxyFromEnvironment
	if e.ProxyURL != "" {
		parsed, err := url.Parse(e.ProxyURL)
		if err != nil || parsed.Hostname() == "" {
			return nil, fmt.Errorf("environment %q: proxyURL is not an absolute URL", e.Name)
		}
		// What http.Transport can use; anything else would fail with every call.
		if !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, parsed.Scheme) {
			return nil, fmt.Errorf("environment %q: proxyURL must use the scheme http, https, socks5 or socks5h", e.Name)
		}
		proxy = http.ProxyURL(parsed)
	}
	return func(request *http.Request) (*url.URL, error) {
		if isLoopback(request.URL.Hostname()) {
			return nil, nil
		}
		return proxy(request)
	}, nil
}
