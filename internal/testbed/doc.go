// Package testbed holds what the demo, the soak, the count, the bench and the tests stand on: a
// real control plane, an Avaya Spaces that runs in memory, and operators in processes of their
// own. Nothing that is installed may import it; lint sees to that.
//
// Paths that belong to the repository are seen from its root, which is found from any
// folder below it.
package testbed
