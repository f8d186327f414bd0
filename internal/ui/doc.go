// Package ui is the terminal: the lines, the progress and the texts that people see, as wide and as coloured as their
// terminal is. What is told is decided elsewhere.
package ui
