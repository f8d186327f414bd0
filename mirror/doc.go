// Package mirror keeps a target equal to a source that changes. It knows no driver and no terminal.
//
// # State, not operations
//
// A [record.Feed] tells what may have changed. That makes a mark for a user and kind, and at most every Options.FlushEvery
// what the source holds of the marked ones is read again and merged. So neither the order of changes matters, nor that one
// comes twice, nor how many there are: a million writes to one user are one mark, and memory is bounded by users.
//
// # What is the mirror's own
//
// Every document that the mirror writes carries the digest of what it says ([record.WrittenField]). While that fits, it is
// the mirror's own copy: it becomes whatever the source holds, and goes when the source holds nothing any more. A document
// that says exactly what the source does becomes the mirror's own as well. What anybody else wrote is merged, as a
// migration does it, and is never deleted.
//
// # Gaps
//
// Nothing depends on having seen each change. A session is an opened source with its feed. Where it ends (a connection that
// was lost, another server that took over) the next one begins, and after it a reconciliation: both sides are compared by
// digests of buckets, and what differs is marked. The same is done every Options.ReconcileEvery. The first one of a run is
// preceded by a copy of everything, which is faster where much is missing.
//
// # What a source loses
//
// A source that forgets is why there is a mirror. So where more than half of a kind's documents would go, and more than
// [fewDocuments], they stay, the mirror is not caught up, and somebody is told, unless Options.AllowShrinking is set.
package mirror
