// Package process is what the process of a command line is given: its standard output, and the rights of the files that
// it makes.
package process
