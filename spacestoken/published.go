package spacestoken

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// The keys of a published Secret that are read here, each a file of the folder. They are promised by
// the kind (constants of api/v1alpha1, which would bring Kubernetes along).
const (
	accessTokenFile = "access_token"
	tokenTypeFile   = "token_type"
	expiresAtFile   = "expires_at"
	apiURLFile      = "api_url"
)

// published is what was read of one published Secret.
type published struct {
	token  secret
	scheme string // of the Authorization header: Bearer, or jwt for a guest
	end    time.Time
	apiURL string
}

// livesAt tells whether the token may be used at a time.
func (p *published) livesAt(now time.Time) bool { return p != nil && now.Before(p.end) }

// publishedOf judges the contents of files. The folder is named in errors.
func publishedOf(folder string, content map[string]string) (*published, error) {
	wrong := func(file, found string) error {
		return &Error{Path: filepath.Join(folder, file), Found: found, Remedy: "mount the whole Secret that a SpacesCredential publishes"}
	}
	token := content[accessTokenFile]
	switch {
	case token == "":
		return nil, wrong(accessTokenFile, "it is empty")
	case !isVisible(token):
		return nil, wrong(accessTokenFile, "it holds something else than one token")
	}
	scheme := content[tokenTypeFile]
	if scheme == "" || !isVisible(scheme) {
		return nil, wrong(tokenTypeFile, "it holds no type of a token, such as Bearer")
	}
	end, err := time.Parse(time.RFC3339, content[expiresAtFile])
	if err != nil {
		// The error repeats what it could not read, and nobody knows what that is.
		return nil, wrong(expiresAtFile, "it holds no time of the form 2006-01-02T15:04:05Z")
	}
	return &published{token: secretOf(token), scheme: scheme, end: end, apiURL: content[apiURLFile]}, nil
}

// isVisible tells whether a text is visible ASCII: what may stand in a header, as a single word.
func isVisible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// unreadable tells of a file that could not be read.
func unreadable(path string, err error) error {
	e := &Error{Path: path, Found: "it cannot be read", Remedy: "mount the published Secret there, readable to this user (fsGroup, defaultMode)", Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Found = "there is no such file"
		e.Remedy = "mount the whole published Secret there, without subPath and items; kubectl get spacescredentials says which Secret that is"
	}
	return e
}
