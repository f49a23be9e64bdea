package spacesauth_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBuiltInEnvironments(t *testing.T) {
	got, err := spacesauth.LoadEnvironments("")
	if err != nil {
		t.Fatal(err)
	}
	want := spacesauth.Environments{
		"production": {
			Name: "production", AccountsURL: "https://accounts.avayacloud.com", APIURL: "https://spacesapis.avayacloud.com",
			SocketURL: "wss://spacesapis-socket.avayacloud.com/chat", RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: 15,
		},
		"staging": {
			Name: "staging", AccountsURL: "https://onesnastaging.esna.com", APIURL: "https://loganstagingapis.esna.com",
			SocketURL: "wss://loganstagingapis-socket.esna.com/chat", RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: 15,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("they are %+v", got)
	}
	for _, environment := range got {
		clientOf(t, environment)
	}
}

func TestEnvironmentsFile(t *testing.T) {
	production, err := spacesauth.LoadEnvironments("")
	if err != nil {
		t.Fatal(err)
	}
	local := spacesauth.Environment{
		Name: "local", AccountsURL: "http://127.0.0.1:8085", APIURL: "http://localhost:8086",
		RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: 15,
	}
	const localEntry = "- name: local\n  accountsURL: http://127.0.0.1:8085\n  apiURL: http://localhost:8086/\n"
	for sentence, given := range map[string]struct {
		file  string
		names []string
		name  string
		want  spacesauth.Environment
	}{
		"an empty file changes nothing": {
			file: "", names: []string{"production", "staging"},
			name: "production", want: production["production"],
		},
		"a new entry stands beside the built-in ones and has the defaults": {
			file:  "environments:\n" + localEntry,
			names: []string{"local", "production", "staging"}, name: "local", want: local,
		},
		"builtIn: true is what is meant anyway": {
			file:  "builtIn: true\nenvironments:\n" + localEntry,
			names: []string{"local", "production", "staging"}, name: "local", want: local,
		},
		"without the built-in ones only the listed remain": {
			file:  "builtIn: false\nenvironments:\n" + localEntry,
			names: []string{"local"}, name: "local", want: local,
		},
		"an entry named like a built-in one replaces only what it gives": {
			file:  "environments:\n- {name: staging, apiURL: 'https://api.example.test', timeoutSeconds: 3}\n",
			names: []string{"production", "staging"}, name: "staging",
			want: func() spacesauth.Environment {
				changed := production["staging"]
				changed.APIURL, changed.TimeoutSeconds = "https://api.example.test", 3
				return changed
			}(),
		},
		"every member is read": {
			file: `
environments:
- name: all
  accountsURL: https://a.example.test/base/
  apiURL: https://b.example.test
  socketURL: wss://c.example.test/chat
  caFile: /etc/ca.pem
  proxyURL: http://u:p@proxy.example.test:3128
  namespaces: [team-a]
  requestsPerSecond: 0.5
  burst: 2
  timeoutSeconds: 7
  grantLifetimeSeconds: 86400
  paused: true
`,
			names: []string{"all", "production", "staging"}, name: "all",
			want: spacesauth.Environment{
				Name: "all", AccountsURL: "https://a.example.test/base", APIURL: "https://b.example.test",
				SocketURL: "wss://c.example.test/chat", CAFile: "/etc/ca.pem", ProxyURL: "http://u:p@proxy.example.test:3128",
				Namespaces: []string{"team-a"}, RequestsPerSecond: 0.5, Burst: 2, TimeoutSeconds: 7, GrantLifetimeSeconds: 86400, Paused: true,
			},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := spacesauth.LoadEnvironments(writeFile(t, given.file))
			if err != nil {
				t.Fatal(err)
			}
			if names := got.Names(); !slices.Equal(names, given.names) {
				t.Errorf("the names are %v, want %v", names, given.names)
			}
			if !reflect.DeepEqual(got[given.name], given.want) {
				t.Errorf("%s is %+v, want %+v", given.name, got[given.name], given.want)
			}
		})
	}
}

func TestFaultyEnvironmentsFiles(t *testing.T) {
	entry := func(members string) string {
		return "environments:\n- {name: e, accountsURL: 'https://a.test', apiURL: 'https://b.test', " + members + "}\n"
	}
	accounts := func(url string) string {
		return "environments:\n- {name: e, accountsURL: '" + url + "', apiURL: 'https://b.test'}\n"
	}
	for sentence, given := range map[string]struct{ file, tells string }{
		"an unknown key":                    {"environment: []\n", `unknown field "environment"`},
		"an unknown key of an entry":        {entry("tokenURL: x"), `unknown field "tokenURL"`},
		"a key given twice":                 {"builtIn: true\nbuiltIn: true\n", `line 2: key "builtIn" already set`},
		"two keys given twice":              {"environments:\n- name: e\n  name: e\n  burst: 1\n  burst: 1\n", `"burst" already set`},
		"a name given twice":                {"environments:\n- name: staging\n- name: staging\n", `"staging" is listed twice`},
		"no name":                           {"environments:\n- {accountsURL: 'https://a.test', apiURL: 'https://b.test'}\n", "no name"},
		"no accounts URL":                   {"environments:\n- {name: e, apiURL: 'https://b.test'}\n", "accountsURL and apiURL are required"},
		"no API URL":                        {"environments:\n- {name: e, accountsURL: 'https://b.test'}\n", "accountsURL and apiURL are required"},
		"a built-in name without built-ins": {"builtIn: false\nenvironments:\n- {name: staging}\n", `"staging": accountsURL and apiURL are required`},
		"nothing at all":                    {"builtIn: false\n", "no environment is listed"},
		"http to another host":              {accounts("http://a.test"), "must use https"},
		"http to a host that looks like it": {accounts("http://localhost.a.test"), "must use https"},
		"http to the API":                   {"environments:\n- {name: e, accountsURL: 'https://b.test', apiURL: 'http://a.test'}\n", "apiURL must use https"},
		"ws to another host":                {entry("socketURL: 'ws://c.test'"), "socketURL must use wss"},
		"another scheme":                    {accounts("ftp://a.test"), "must use the scheme https"},
		"a URL without a host":              {accounts("https://:443"), "absolute URL"},
		"a URL without a scheme":            {accounts("a.test"), "absolute URL"},
		"user info in a URL":                {accounts("https://u:hush@a.test"), "without user info"},
		"a query in a URL":                  {accounts("https://a.test/?k=hush"), "query"},
		"an empty query in a URL":           {accounts("https://a.test?"), "query"},
		"a fragment in a URL":               {accounts("https://a.test#"), "fragment"},
		"a proxy URL that is none":          {entry("proxyURL: 'u:hush@proxy'"), "proxyURL"},
		"a proxy URL with a bad port":       {entry("proxyURL: 'http://u:hush@proxy:x'"), "proxyURL"},
		"a proxy URL nobody speaks":         {entry("proxyURL: 'ftp://u:hush@proxy'"), "proxyURL"},
		"a proxy URL that is a list":        {entry("proxyURL: ['http://u:hush@proxy']"), "proxyURL"},
		"a proxy URL in the place of a key": {entry("'http://u:hush@proxy': x"), "unknown field"},
		"a proxy URL in the place of a name": {
			"environments:\n- name: http://u:hush@proxy\n", `"http://proxy"`},
		"a negative rate":        {entry("requestsPerSecond: -1"), "greater than 0"},
		"a negative burst":       {entry("burst: -1"), "greater than 0"},
		"a negative timeout":     {entry("timeoutSeconds: -1"), "greater than 0"},
		"a grant that ended":     {entry("grantLifetimeSeconds: -1"), "grantLifetimeSeconds"},
		"a grant for a century":  {entry("grantLifetimeSeconds: 3155760000"), "grantLifetimeSeconds"},
		"a pause that is text":   {entry("paused: soon"), "paused"},
		"a timeout that is text": {entry("timeoutSeconds: soon"), "timeoutSeconds"},
		"text":                   {"just text", "cannot unmarshal"},
		"YAML that breaks off":   {"environments: [\n", "line 1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			path := writeFile(t, given.file)
			_, err := spacesauth.LoadEnvironments(path)
			if err == nil {
				t.Fatal("it was accepted")
			}
			text := err.Error()
			if !strings.Contains(text, given.tells) || !strings.Contains(text, path) {
				t.Errorf("the error %q does not tell of %q in the file", text, given.tells)
			}
			if strings.ContainsAny(text, "\r\n") {
				t.Errorf("the error has more than one line: %q", text)
			}
			expectNoSecret(t, err, "hush")
		})
	}
	if _, err := spacesauth.LoadEnvironments(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestEnvironmentValues(t *testing.T) {
	environment := spacesauth.Environment{TimeoutSeconds: 3, Namespaces: []string{"team-a", "team-b"}}
	if environment.Timeout() != 3*time.Second {
		t.Errorf("the timeout is %v", environment.Timeout())
	}
	if !environment.Allows("team-b") || environment.Allows("team-c") || !(spacesauth.Environment{}).Allows("team-c") {
		t.Error("a listed namespace may use it, another may not, and without a list all may")
	}
}
