// Package descriptors ends a process that has too few file descriptors, with an error that says so. To import it is
// enough: it looks when it is initialised, before other packages are, because the runtime panics where it has none for
// itself, and some packages need the runtime's first one in their own initialisation.
package descriptors
