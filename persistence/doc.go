// Package persistence is the app's own persistence layer over the stores that are configured: which of them answers, what
// is written where, and in which order. It has the app's rules, and not its silent failures: a store that fails is an error
// that names it, and every write is conditional on what was read.
package persistence
