// Package transfer is how a grant travels from one cluster to another: what is told of it, and the
// envelope that only the importer can open.
//
// The importer makes a pair of keys and gives the public one away. The exporter seals the grant to it
// by HPKE (RFC 9180, base mode) in the one suite there is: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256,
// AES-256-GCM, which FIPS 140 allows. Whose grant it is, and which request the envelope answers, stands
// in clear beside it and is the additional data, so that none of it can be changed.
//
//	importer              exporter                             importer
//	NewKey ── public ───▶ Seal(grant, for whom) ── envelope ─▶ Open ── grant
//
// Base mode proves nothing of who sealed: whoever knows the public key can seal a grant of their own.
// The importer shows whose it is, and a person compares.
package transfer
