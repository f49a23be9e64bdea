// Package seal closes state documents, so that who may read Secrets in a namespace does not
// get its refresh tokens, and who may write them cannot forge a state.
//
// A document is encrypted and authenticated by AES-256-GCM under a key of its own: HKDF
// (RFC 5869) of a key of the ring and the UID of the credential, so that GCM's limit of
// messages with random nonces is counted for each credential. What stands in clear around it
// is authenticated with it: the version of this form, the ID of the key, namespace and name of
// the Secret, and the UID of the credential. So a document that is moved to another Secret
// does not open.
//
// Nothing here knows a client of Kubernetes, or what a document says.
package seal
