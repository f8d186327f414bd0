// Package location turns what a person names, by a flag or by one of Lanyard's own variables, into an open source or
// target.
//
// A [Registry] knows the schemes of URIs. Each scheme has a small factory: what its URIs look like, how one is checked
// before anything is opened, how it is opened, and what to do about its errors. A new source or target is a package
// below store, a factory here, and a line in [Default].
package location
