package v1alpha1

// OthersSignIn stands in GrantValid, and in an event, where the service ended two grants in a row before
// they were renewed once.
const OthersSignIn = "Another client may be signing in as this user"

// EndsOldTokens begins the sentence that the condition GrantValid has where the service was seen to
// end an access token when it renews the grant. A file that a workload mounts lags, see
// docs/reliability.md.
const EndsOldTokens = "With each renewal the service ends the access token of before"

// OlderGrantUnrevoked is what GrantValid says of grants that were replaced and wait to be revoked;
// what follows it says why.
const OlderGrantUnrevoked = "An older grant is not revoked yet."

// What GrantValid says of a request to export the grant that is not answered; what follows says why.
const (
	ExportRefused = "An export was asked for and refused:"
	ExportWaits   = "An export was asked for and waits:"
)
