// Package exit is how a command ends: errors that know the exit code and the next step, the codes themselves, and the
// signals that end a run early.
package exit
