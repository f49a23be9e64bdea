package grantstate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// maxRefusals bounds what is remembered of refused inputs.
const maxRefusals = 8

// Given are the inputs of a credential as they are now. What is missing, or cannot be
// used, is empty.
type Given struct {
	// AccountsURL is that of the environment that spec names; empty where it is not known.
	AccountsURL string
	Scopes      []string
	Application spacesauth.Application
	// Previous is the client's secret of before, while it is rotated; else empty. Lender is whose
	// client it is, where it is not the namespace's own.
	Previous spacesauth.Secret
	Lender   *Lender
	// One of these is given, as the grant type says.
	Username string
	Password spacesauth.Secret
	Seed     spacesauth.Secret
	Code     spacesauth.AuthorizationCodeGrant
	Guest    *spacesauth.Guest
	// Import is the grant of another cluster. While it was not used it stands for what makes the
	// grant, whatever the grant type.
	Import *Imported
	// ExpectedUser is the user name or ID of whoever was to sign in for the code; empty is anybody.
	ExpectedUser string

	// NoClient and NoGrant tell that the application, or what makes the grant, is missing.
	NoClient, NoGrant bool
}

// Seen are inputs as a document tells them apart: by keyed hash, enough to notice a
// change and useless for guessing a password.
type Seen struct {
	used used
	// signIn and refresh cover all that a sign-in would send, and what a refresh sends
	// beside the refresh token; empty where a part is missing.
	signIn, refresh string
	// other are the same with the client's other secret, empty where there is one alone; isPrevious
	// tells that it is the one of before that has its turn.
	other      sent
	isPrevious bool
	// nowhere tells that the environment that spec names is not known.
	nowhere bool
}

// WithRefresh is what was seen, with what a refresh sends as another look saw it.
func (s Seen) WithRefresh(of Seen) Seen {
	s.refresh, s.other.refresh = of.refresh, of.other.refresh
	return s
}

// inputs remembers inputs by keyed hash.
type inputs struct {
	// Key is the key of the hashes, made with the document.
	Key []byte `json:"key"`
	// Used are the inputs the living grant was made with.
	Used used `json:"used"`
	// Refreshed covers what was sent beside a refresh token when that worked last.
	Refreshed string `json:"refreshed,omitempty"`
	// Refused are inputs that the service refused for good.
	Refused []Refusal `json:"refused,omitempty"`
	// Imported are the imports that were used.
	Imported []string `json:"imported,omitempty"`
}

// used are the hashes that tell whether a grant is still the wanted one. A
// password and a client secret are not among them: changing one alone does not
// throw a working grant away.
type used struct {
	// Client covers the accounts URL, the client ID and the scopes.
	Client string `json:"client,omitempty"`
	// Login covers the user name, or what a guest is called.
	Login string `json:"login,omitempty"`
	// Seed covers the refresh token a person put in, Code the code of a sign-in by
	// browser.
	Seed string `json:"seed,omitempty"`
	Code string `json:"code,omitempty"`
	// Import covers the grant of another cluster, where one is given that was not used before.
	Import string `json:"import,omitempty"`
}

// Refusal is a combination of inputs that is not sent again.
type Refusal struct {
	// Hash covers everything that was sent but a rotated refresh token.
	Hash string `json:"hash"`
	// Kind is why; Detail is spacesauth's own text.
	Kind   spacesauth.Kind `json:"kind"`
	Detail string          `json:"detail"`
	// Code is the service's, where there is one of OAuth.
	Code string `json:"code,omitempty"`
	// SignIn tells whether a sign-in or a refresh was refused.
	SignIn bool `json:"signIn,omitempty"`
	// GrantID is the grant that the refused seed or code would have made.
	GrantID string `json:"grantID,omitempty"`
	// OtherUser tells that not the service refused, but that it gave the grant of another user
	// than the expected one.
	OtherUser bool `json:"otherUser,omitempty"`
	// Import tells that what was sent is the grant of another cluster.
	Import bool `json:"import,omitempty"`
}

// judged tells a refusal of the very thing that was sent. A refused client or request
// is none: mended, the same thing may be sent again.
func (r Refusal) judged() bool {
	return r.Kind == spacesauth.KindRejectedGrant || r.Kind == spacesauth.KindUnclear
}

// See looks at inputs. A seed or a code that is on its way to the service stands for the
// one that was given, unless that is a newer one.
func (d Document) See(given Given) Seen {
	given = d.goOn(given)
	m := d.inputs
	seen := Seen{used: m.use(given), nowhere: given.AccountsURL == ""}
	if given.NoClient {
		return seen
	}
	look := func(given Given) (with sent) {
		with.refresh = m.hash("refresh", d.issuer(given), given.Application.ID, given.Application.Secret.Reveal())
		if (!given.NoGrant || seen.used.Import != "") && given.AccountsURL != "" {
			with.signIn = m.signIn(given)
		}
		return with
	}
	present := look(given)
	seen.signIn, seen.refresh = present.signIn, present.refresh
	if before := given.Previous; !before.Empty() && before.Reveal() != given.Application.Secret.Reveal() {
		given.Application.Secret = before
		seen.other = look(given)
	}
	return seen
}

// CountAsUsed counts a seed or a code as used that stands beside a state nobody can read: it may
// have been, and sending it again would look like theft.
func (d *Document) CountAsUsed(seen Seen) {
	d.inputs.Used.Seed, d.inputs.Used.Code = seen.used.Seed, seen.used.Code
	d.inputs.usedImport(seen.used.Import)
}

// issuer is the accounts URL of the living grant, or of the one that there would be.
func (d Document) issuer(given Given) string {
	if d.grant != nil {
		return d.grant.AccountsURL
	}
	return given.AccountsURL
}

// goOn goes on with a seed or code that was sent and not judged, as it was claimed,
// unless the inputs hold a newer one.
func (d Document) goOn(given Given) Given {
	open := d.firstUse
	if open == nil || !open.isStill(d.inputs.use(given)) {
		return given
	}
	given.NoGrant = false
	if open.Import != nil {
		given.Import = &Imported{ImportedFrom: *open.Import, RefreshToken: open.Seed.Secret}
		return given
	}
	given.Seed = open.Seed.Secret
	given.Code = spacesauth.AuthorizationCodeGrant{Code: open.Code.Secret, CodeVerifier: open.CodeVerifier.Secret, RedirectURI: open.RedirectURI}
	given.ExpectedUser = open.ExpectedUser
	return given
}

// ChangedSince tells that inputs are not those that the living grant was made with.
func (d Document) ChangedSince(now Seen) bool { return d.inputs.Used.changed(now.used) }

// use takes the hashes that tell whether a grant is made with these inputs.
func (m inputs) use(given Given) used {
	var now used
	if !given.NoClient && given.AccountsURL != "" {
		client := []string{"client", given.AccountsURL, given.Application.ID, strings.Join(given.Scopes, " ")}
		if given.Lender != nil {
			client = append(client, lentMark)
		}
		now.Client = m.hash(client...)
	}
	if given.Username != "" {
		now.Login = m.hash("login", given.Username)
	}
	if given.Guest != nil {
		now.Login = m.hash("guest", given.Guest.DisplayName, given.Guest.Username, given.Guest.PictureURL)
	}
	if !given.Seed.Empty() {
		now.Seed = m.hash("seed", given.Seed.Reveal())
	}
	if !given.Code.Code.Empty() {
		now.Code = m.hash("code", given.Code.Code.Reveal())
	}
	now.Import = m.freshImport(given)
	return now
}

// signIn covers all that a sign-in sends.
func (m inputs) signIn(given Given) string {
	app := given.Application
	switch {
	case m.freshImport(given) != "":
		return m.hash("import", given.AccountsURL, app.ID, app.Secret.Reveal(), given.Import.RefreshToken.Reveal())
	case given.Guest != nil:
		return m.hash("guest", given.AccountsURL, given.Guest.DisplayName, given.Guest.Username, given.Guest.PictureURL)
	case !given.Code.Code.Empty():
		return m.hash("code", given.AccountsURL, app.ID, app.Secret.Reveal(), given.Code.Code.Reveal(), given.Code.CodeVerifier.Reveal(), given.Code.RedirectURI)
	case !given.Seed.Empty():
		return m.hash("seed", given.AccountsURL, app.ID, app.Secret.Reveal(), given.Seed.Reveal())
	}
	return m.hash("sign-in", given.AccountsURL, app.ID, app.Secret.Reveal(), given.Username, given.Password.Reveal(), strings.Join(given.Scopes, " "))
}

// hash covers values so that no two different lists collide.
func (m inputs) hash(values ...string) string {
	mac := hmac.New(sha256.New, m.Key)
	for _, value := range values {
		sum := sha256.Sum256([]byte(value))
		mac.Write(sum[:])
	}
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// refused returns the refusal of hash, or nil.
func (m inputs) refused(hash string) *Refusal {
	i := slices.IndexFunc(m.Refused, func(r Refusal) bool { return r.Hash == hash })
	if i < 0 {
		return nil
	}
	return clone(&m.Refused[i])
}

// refuse remembers r, forgetting the oldest refusal when there are too many.
func (m *inputs) refuse(r Refusal) {
	m.forgive(r.Hash)
	m.Refused = append(m.Refused, r)
	if extra := len(m.Refused) - maxRefusals; extra > 0 {
		m.Refused = m.Refused[extra:]
	}
}

// forgive drops the refusal of hash: the service has accepted these inputs since.
func (m *inputs) forgive(hash string) {
	m.Refused = slices.DeleteFunc(m.Refused, func(old Refusal) bool { return old.Hash == hash })
}

// ForgiveOthers drops what is remembered of other inputs than those that are about to be sent:
// what was changed may be changed back, and is worth another try then. It tells whether any was.
// A seed or a code that was judged once stays so, and so does what the client's other secret was
// refused for.
func (d *Document) ForgiveOthers(what Action, credential *v1alpha1.SpacesCredential, sent Seen) bool {
	hash, other := sent.refresh, sent.other.refresh
	if what == SignIn {
		if OnceOnly(credential) || sent.used.Import != "" { // an import makes nothing else worth another try
			return false
		}
		hash, other = sent.signIn, sent.other.signIn
	}
	before := len(d.inputs.Refused)
	d.inputs.Refused = slices.DeleteFunc(d.inputs.Refused, func(old Refusal) bool {
		return old.SignIn == (what == SignIn) && !old.Import && old.Hash != hash && (other == "" || old.Hash != other)
	})
	return len(d.inputs.Refused) < before
}

// use counts a seed or a code as used, so that it is never taken for a new one.
func (u *used) use(f *FirstUse) {
	switch {
	case f == nil:
	case f.Seed.Empty():
		u.Code = f.Hash
	default:
		u.Seed = f.Hash
	}
}

// changed tells whether now differs from what the grant was made with, or holds an import that was not
// used. A hash that could not be taken, because its input is gone, is no change.
func (u used) changed(now used) bool {
	differs := func(used, now string) bool { return used != "" && now != "" && used != now }
	return now.Import != "" || differs(u.Client, now.Client) || differs(u.Login, now.Login) || differs(u.Seed, now.Seed) || differs(u.Code, now.Code)
}
