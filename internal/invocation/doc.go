// Package invocation keeps a command as it was typed, so that a report can say what to type next.
package invocation
