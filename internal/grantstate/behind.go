package grantstate

import "time"

// IsOlderThan tells that a document of the same Secret is an earlier one than another: a
// claim is made once, and once its answer is recorded it is not open any more.
func (d Document) IsOlderThan(other Document) bool {
	return d.claims < other.claims || other.claim == nil && d.IsBehind(other.claims)
}

// IsBehind tells that the answer of the claim of that number was recorded once, and that this
// document knows nothing of it: somebody put an earlier one back, by a snapshot or by hand.
func (d Document) IsBehind(answered int64) bool {
	return d.claims < answered || d.claims == answered && d.claim != nil
}

// FellBehind judges a document that is behind the answer of that number, once: what it holds
// was spent, and to spend it again would look like theft. So the grant counts as refused, the
// claims go on above that number, and what is published stays until it expires: it is newer.
// published is when that is, or zero.
func (d *Document) FellBehind(answered int64, published, now time.Time) {
	d.claims = max(d.claims, answered) + 1
	d.claim, d.meanwhile, d.isBehind = nil, nil, d.grant != nil
	if d.firstUse != nil {
		d.list(d.firstUse.grant(), now.Add(Changeover), published, now)
		d.inputs.spent(d.firstUse)
		d.firstUse = nil
	}
	if d.grant == nil {
		return
	}
	d.grant.Condition = Refused
	if token := d.grant.Token; token != nil && token.ExpirationTime.Before(published) {
		token.ExpirationTime = published
	}
}

// ShowsOnlyWhatIsPublished tells that the document fell behind: of the token that is published
// only the published Secret itself tells.
func (d Document) ShowsOnlyWhatIsPublished() bool { return d.isBehind }
