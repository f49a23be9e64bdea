package spacesauth

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Production is the environment that is meant when none is named.
const Production = "production"

// builtIn lists the documented host pairs
// (spaces.avayacloud.com/developers/docs/tutorials/authorizingrequests).
func builtIn() Environments {
	return Environments{
		Production: withDefaults(Environment{
			Name:        Production,
			AccountsURL: "https://accounts.avayacloud.com",
			APIURL:      "https://spacesapis.avayacloud.com",
			SocketURL:   "wss://spacesapis-socket.avayacloud.com/chat",
		}),
		"staging": withDefaults(Environment{
			Name:        "staging",
			AccountsURL: "https://onesnastaging.esna.com",
			APIURL:      "https://loganstagingapis.esna.com",
			SocketURL:   "wss://loganstagingapis-socket.esna.com/chat",
		}),
	}
}

// Environments are the known environments by name.
type Environments map[string]Environment

// Names returns the names in order.
func (e Environments) Names() []string { return slices.Sorted(maps.Keys(e)) }

// environmentsFile is the document that --environments-file names.
type environmentsFile struct {
	BuiltIn      *bool         `json:"builtIn"`
	Environments []Environment `json:"environments"`
}

// LoadEnvironments reads the environments file. With an empty path it returns the
// built-in environments. An error names the file and the entry.
func LoadEnvironments(path string) (Environments, error) {
	if path == "" {
		return builtIn(), nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("environments file: %w", err)
	}
	environments, err := ParseEnvironments(content)
	if err != nil {
		return nil, fmt.Errorf("environments file %s: %w", path, err)
	}
	return environments, nil
}

// ParseEnvironments reads the content of an environments file. Unknown keys and
// duplicate names are errors. An entry named like a built-in one replaces only
// what it gives; with "builtIn: false" there is nothing to replace.
func ParseEnvironments(content []byte) (Environments, error) {
	var file environmentsFile
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		return nil, oneLine(err)
	}
	environments := builtIn()
	if file.BuiltIn != nil && !*file.BuiltIn {
		environments = Environments{}
	}
	seen := map[string]bool{}
	for _, entry := range file.Environments {
		if seen[entry.Name] {
			return nil, withoutUserInfo(fmt.Errorf("environment %q is listed twice", entry.Name))
		}
		seen[entry.Name] = true
		entry = entry.over(environments[entry.Name])
		if err := entry.validate(); err != nil {
			return nil, withoutUserInfo(err)
		}
		environments[entry.Name] = entry
	}
	if len(environments) == 0 {
		return nil, fmt.Errorf("builtIn is false and no environment is listed")
	}
	return environments, nil
}

// over returns base with what e gives.
func (e Environment) over(base Environment) Environment {
	base.Name = e.Name
	for _, field := range []struct{ to, from *string }{
		{&base.AccountsURL, &e.AccountsURL}, {&base.APIURL, &e.APIURL}, {&base.SocketURL, &e.SocketURL},
		{&base.CAFile, &e.CAFile}, {&base.ProxyURL, &e.ProxyURL},
	} {
		if *field.from != "" {
			*field.to = strings.TrimSuffix(*field.from, "/")
		}
	}
	if e.Namespaces != nil {
		base.Namespaces = e.Namespaces
	}
	if e.RequestsPerSecond != 0 {
		base.RequestsPerSecond = e.RequestsPerSecond
	}
	if e.Burst != 0 {
		base.Burst = e.Burst
	}
	if e.TimeoutSeconds != 0 {
		base.TimeoutSeconds = e.TimeoutSeconds
	}
	// No built-in one has these.
	base.GrantLifetimeSeconds, base.Paused = e.GrantLifetimeSeconds, e.Paused
	return withDefaults(base)
}

func withDefaults(e Environment) Environment {
	if e.RequestsPerSecond == 0 {
		e.RequestsPerSecond = DefaultRequestsPerSecond
	}
	if e.Burst == 0 {
		e.Burst = DefaultBurst
	}
	if e.TimeoutSeconds == 0 {
		e.TimeoutSeconds = DefaultTimeoutSeconds
	}
	return e
}

// userInfo is what stands before the host of a URL.
var userInfo = regexp.MustCompile(`//[^/\s]*@`)

// withoutUserInfo drops what may be the user info of a proxy URL in the wrong place.
func withoutUserInfo(err error) error {
	return errors.New(userInfo.ReplaceAllString(err.Error(), "//"))
}

// oneLine puts what a YAML error says about the file on one line, without the names
// of the parsers and without user info.
func oneLine(err error) error {
	said := strings.Join(strings.Fields(err.Error()), " ")
	for _, parser := range []string{
		"error converting YAML to JSON: ", "error unmarshaling JSON: ", "while decoding JSON: ",
		"yaml: ", "json: ", "unmarshal errors: ",
	} {
		said = strings.TrimPrefix(said, parser)
	}
	return withoutUserInfo(errors.New(said))
}
