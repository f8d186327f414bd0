// Package report tells what a run did: as text for people, as JSON for scripts, and of a comparison as JUnit's XML and
// as Markdown, too. A report is a type of its own, filled with what an engine found and with facts of the run; the
// functions on it only write. Every text in it is without secrets already.
package report
