package main

import (
	"fmt"
	"strconv"
)

// amount is a flag with a number from 1 to max. Without one, the command chooses what suits the servers.
type amount struct {
	n, max int
}

// String implements [pflag.Value].
func (a *amount) String() string {
	if a.n == 0 {
		return "auto"
	}
	return strconv.Itoa(a.n)
}

// Set implements [pflag.Value].
func (a *amount) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > a.max {
		return fmt.Errorf("give 1 to %d", a.max)
	}
	a.n = n
	return nil
}

// Type implements [pflag.Value].
func (*amount) Type() string { return "number" }

// or returns the number that was given, else n.
func (a *amount) or(n int) int {
	if a.n == 0 {
		return n
	}
	return a.n
}
