// Package gate says whose turn it is to call a host of the service.
//
// Who has to wait stands in the queue of its host and is woken when its turn has come; nobody
// asks again and again. A host is called at the rate that its environments allow, is left alone
// as long as it asks for it, and sees one probe at a time while it does not answer. What one
// namespace does costs the others nothing: turns go round the namespaces, none of them holds
// more than its share of the workers, and what a host says to one is held against the others
// only where they were told the same.
package gate
