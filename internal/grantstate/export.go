package grantstate

import (
	"slices"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// maxExports bounds how many exported grants are remembered. A person asks for each.
const maxExports = 16

// Export is a grant that was given to another cluster. It is marked before anything of it is given
// away, and from then on it is neither spent nor revoked here: two that hold one refresh token end
// the grant. The mark outlives the grant's place in the document, since an answer may come late.
type Export struct {
	GrantID string `json:"grantID"`
	// Number counts the mark among the claims: a document without it is an older one.
	Number int64 `json:"number"`
	// Key is the ID of the key that it was sealed to, Request the request that is answered.
	Key     string    `json:"key"`
	Request string    `json:"request,omitempty"`
	Time    time.Time `json:"time"`
}

// Export marks the living grant as given away, for a request and to whom a key belongs.
func (d *Document) Export(request, key string, now time.Time) {
	d.claims++
	d.grant.Answered = d.claims // the published Secret is to name the mark
	d.noteExport(Export{GrantID: d.grant.ID, Number: d.claims, Key: key, Request: request, Time: now.UTC().Truncate(time.Second)})
	d.requests.HandledExport, d.requests.ExportRefusal = request, ""
}

// RefuseExport notes that a request for an export was refused, and why: it must not be acted on when
// what was in the way is forgotten.
func (d *Document) RefuseExport(request, why string) {
	d.requests.HandledExport, d.requests.ExportRefusal = request, why
}

// noteExport remembers an export in place of an earlier one of the same grant.
func (d *Document) noteExport(e Export) {
	d.exports = slices.DeleteFunc(slices.Clone(d.exports), func(old Export) bool { return old.GrantID == e.GrantID })
	d.exports = append(d.exports, e)
	d.exports = d.exports[max(0, len(d.exports)-maxExports):]
}

// exportOf is the export of a grant, or nil.
func (d Document) exportOf(grantID string) *Export {
	for i := range d.exports {
		if d.exports[i].GrantID == grantID {
			return clone(&d.exports[i])
		}
	}
	return nil
}

// isExported tells that a grant was given away.
func (d Document) isExported(grantID string) bool { return d.exportOf(grantID) != nil }

// Exported is the export of the living grant, or nil.
func (d Document) Exported() *Export {
	if d.grant == nil {
		return nil
	}
	return d.exportOf(d.grant.ID)
}

// HandledExportRequest is the last request for an export that was acted on, and ExportRefusal why it
// was refused; "" where it was not.
func (d Document) HandledExportRequest() string { return d.requests.HandledExport }

// ExportRefusal is why the last request for an export was refused, or "".
func (d Document) ExportRefusal() string { return d.requests.ExportRefusal }

// IsSettled tells that the service has answered the last call that was claimed, and that it was one
// of the living grant: nobody can have a newer refresh token of it. A grant that is not settled must
// not be given away.
func (d Document) IsSettled() bool {
	g := d.grant
	return g != nil && g.Condition == Valid && g.Answered == d.claims && d.claim == nil && d.firstUse == nil
}

// ExportRequest is the request for an export that is not handled yet, or "".
func (o Observation) ExportRequest() string { return o.Document.requests.export(o.Credential) }

// AsksForExport tells that there is a request for an export, handled or not.
func (o Observation) AsksForExport() bool {
	return requestOf(o.Credential, v1alpha1.AnnotationExportRequestedAt) != ""
}

// settlesFirst tells that the living grant is asked for once more before it is given away.
func (o Observation) settlesFirst() bool {
	d := o.Document
	return o.ExportRequest() != "" && !d.grant.RefreshToken.Empty() && d.firstUse == nil && d.Exported() == nil && !d.IsSettled()
}

// isGivenAway tells that the living grant was exported, and that no other is asked for: for a
// password by a request to renew, or by what tells grants apart; else by a new seed or code.
func (o Observation) isGivenAway() bool {
	switch {
	case o.Document.Exported() == nil:
		return false
	case o.Inputs.used.Import != "":
		return false
	case OnceOnly(o.Credential):
		return !o.freshInput()
	}
	return !o.Document.inputs.Used.changed(o.Inputs.used) && o.renewRequest() == ""
}

// export is the request for an export that is not handled yet, or "".
func (r requests) export(credential *v1alpha1.SpacesCredential) string {
	request := requestOf(credential, v1alpha1.AnnotationExportRequestedAt)
	if request == r.HandledExport {
		return ""
	}
	return request
}

// FellBehindExport judges a document that is behind the mark of an export, once, as [Document.FellBehind]
// does. What it holds of that grant is neither spent nor revoked: it is another cluster's by now.
func (d *Document) FellBehindExport(e Export, published, now time.Time) {
	d.noteExport(e)
	if f := d.firstUse; f != nil && f.GrantID == e.GrantID {
		d.inputs.spent(f)
		d.firstUse = nil
	}
	d.Drop(e.GrantID)
	d.FellBehind(e.Number, published, now)
}

// MayBeExported tells that an answer came so late that another process can have taken the claim over
// and given the grant away since. Where no state says so it is not revoked.
func (a Answer) MayBeExported(now time.Time, margin time.Duration) bool {
	return !a.claim.SignIn && now.After(a.claim.Time.Add(a.claim.Timeout()+margin))
}
