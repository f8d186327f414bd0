// Package process is what the process of a command line is given: its standard output, the rights of the files that
// it makes, its CPU time, and the memory that its garbage may take.
package process
