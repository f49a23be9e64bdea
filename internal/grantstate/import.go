package grantstate

import (
	"slices"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// maxImports bounds how many imports are remembered as used. A person makes each.
const maxImports = 32

// Imported is a grant that another cluster gave away. It is used once, as a seed is, whatever the
// grant type: it is sent in place of what spec would sign in with.
type Imported struct {
	ImportedFrom
	RefreshToken spacesauth.Secret
}

// ImportedFrom is what stays known of it.
type ImportedFrom struct {
	// ID names the export.
	ID string `json:"id"`
	// StartTime is when the grant began, Identity whose it is.
	StartTime time.Time `json:"startTime,omitzero"`
	Identity  Identity  `json:"identity,omitzero"`
}

// WasImported tells that a refresh token was put in as an import before, and used.
func (d Document) WasImported(token spacesauth.Secret) bool {
	return slices.Contains(d.inputs.Imported, d.inputs.importHash(token))
}

// IsImport tells that the spend is the first use of an import.
func (s Spend) IsImport() bool { return s.first != nil && s.first.Import != nil }

func (m inputs) importHash(token spacesauth.Secret) string { return m.hash("import", token.Reveal()) }

// freshImport is the hash of an import that was not used before, or "".
func (m inputs) freshImport(given Given) string {
	if given.Import == nil || given.Import.RefreshToken.Empty() {
		return ""
	}
	hash := m.importHash(given.Import.RefreshToken)
	if slices.Contains(m.Imported, hash) {
		return ""
	}
	return hash
}

// usedImport notes that an import was used: its Secret, if it is still there, says nothing any more.
func (m *inputs) usedImport(hash string) {
	if hash == "" || slices.Contains(m.Imported, hash) {
		return
	}
	m.Imported = append(slices.Clone(m.Imported), hash)
	m.Imported = m.Imported[max(0, len(m.Imported)-maxImports):]
}

// spent counts a seed, a code or an import as used, so that it is never taken for a new one.
func (m *inputs) spent(f *FirstUse) {
	if f != nil && f.Import != nil {
		m.usedImport(f.Hash)
		return
	}
	m.Used.use(f)
}

// importing makes the first use of an import of a spend.
func (s *Spend) importing(from Imported, now time.Time) {
	s.first = s.firstUse(s.used.Import, now)
	s.first.Seed, s.first.Import = kept{from.RefreshToken}, clone(&from.ImportedFrom)
	s.grant.RefreshToken, s.grant.Import, s.grant.Identity = kept{from.RefreshToken}, from.ID, from.Identity
	if start := from.StartTime.UTC().Truncate(time.Second); !start.IsZero() && start.Before(s.grant.StartTime) {
		s.grant.StartTime = start
	}
}
