// Package storetest is the conformance suite that every target passes, with fault wrappers. It is imported by tests
// only. What a target does is defined by store/mem; the suite compares another one with it.
package storetest
