package main

import (
	"fmt"
	"strconv"
)

// autoInt is a flag with a number from 1 to max. Without one, the command chooses what suits the servers.
type autoInt struct {
	n, max int
}

// String implements [pflag.Value].
func (a *autoInt) String() string {
	if a.n == 0 {
		return "auto"
	}
	return strconv.Itoa(a.n)
}

// Set implements [pflag.Value].
func (a *autoInt) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > a.max {
		return fmt.Errorf("give 1 to %d", a.max)
	}
	a.n = n
	return nil
}

// Type implements [pflag.Value].
func (*autoInt) Type() string { return "number" }

// or returns the number that was given, else n.
func (a *autoInt) or(n int) int {
	if a.n == 0 {
		return n
	}
	return a.n
}
